//! More work than the service can do: it says so within a second, and what needs no such work goes on.

use crate::{
    client::{Answer, PASSWORD},
    server::Place,
};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use std::time::{Duration, Instant};

/// A second by design, and room for a machine with much else to do.
const SOON: Duration = Duration::from_secs(5);

fn check_overloaded(answer: &Answer) {
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

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_writes_changes_are_refused_in_time_and_nothing_is_half_done() {
    let server = Place::new().start();
    let client = server.client();
    let pair = client.user("alice").await;
    let database = server.place().database().display().to_string();
    let mut other = SqliteConnection::establish(&database).expect("a database");
    other
        .batch_execute("BEGIN IMMEDIATE")
        .expect("the right to write");

    for call in [
        client.registering("bob"),
        client.logging_in("alice", PASSWORD),
        client.post("/refresh").bearer(&pair.refresh),
        client.post("/logout").bearer(&pair.access),
        client.assigning(&pair.access, "alice", &[], false),
    ] {
        let asked = Instant::now();
        check_overloaded(&call.send().await);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
    assert_eq!(client.me_code(&pair.access).await, "accepted", "readers go on");
    assert_eq!(client.get("/health/live").send().await.status, 200);
    let ready = client.get("/health/ready").send().await;
    assert!(matches!(ready.status, 200 | 503), "{}", ready.body);

    other.batch_execute("ROLLBACK").expect("an end");
    assert_eq!(
        client.left_of(&pair).await,
        ("accepted".into(), "accepted".into())
    );
    assert_eq!(client.register("bob").await.status, 201);
}
