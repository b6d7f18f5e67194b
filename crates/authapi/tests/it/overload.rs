//! Overload: the service refuses the work that it cannot do and answers all other requests.

use crate::{
    client::{Answer, PASSWORD},
    server::Place,
};

pub fn check_overloaded(answer: &Answer) {
    assert_eq!(
        (answer.status, answer.code()),
        (503, "overloaded"),
        "{}",
        answer.body
    );
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn when_too_many_passwords_wait_to_be_hashed_the_rest_is_told_to_come_back() {
    let server = Place::new()
        .with("PASSWORD__MEMORY_KIB", "65536")
        .with("PASSWORD__HASH_THREADS", "1")
        .with("PASSWORD__HASH_QUEUE", "1")
        .start();
    let client = server.client();
    let pair = client.user("alice").await;

    let attempts: Vec<_> = (0..12)
        .map(|_| {
            let call = client.logging_in("alice", PASSWORD);
            tokio::spawn(call.send())
        })
        .collect();
    assert_eq!(client.me_code(&pair.access).await, "accepted");
    assert_eq!(client.refresh_code(&pair.refresh).await, "accepted");

    let mut refused = 0;
    for attempt in attempts {
        let answer = attempt.await.expect("an answer");
        if answer.status != 200 {
            check_overloaded(&answer);
            refused += 1;
        }
    }
    assert!((1..12).contains(&refused), "{refused} of 12");
    client.session("alice").await;
}
