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
async fn logins_over_the_hashing_capacity_are_refused_with_retry_after() {
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
            tokio::spawn(call.send_once())
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
