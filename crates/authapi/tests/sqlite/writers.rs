//! SQLite has one writer at a time: a change that waits too long is refused.

use crate::{client::PASSWORD, it::overload::check_overloaded, server::Place};
use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use std::time::{Duration, Instant};

/// The limit is one second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn while_another_process_writes_changes_are_refused_in_time_and_have_no_effect() {
    let server = Place::new().start();
    let client = server.client();
    let pair = client.user("alice").await;
    let database = server
        .place()
        .path()
        .join("data/authapi.db")
        .display()
        .to_string();
    let mut other = SqliteConnection::establish(&database).expect("a database");
    other.batch_execute("BEGIN IMMEDIATE").expect("the write lock");

    for call in [
        client.registering("bob"),
        client.logging_in("alice", PASSWORD),
        client.post("/refresh").bearer(&pair.refresh),
        client.post("/logout").bearer(&pair.access),
        client.assigning(&pair.access, "alice", &[], false),
    ] {
        let asked = Instant::now();
        check_overloaded(&call.send_once().await);
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
    assert_eq!(
        client.me_code(&pair.access).await,
        "accepted",
        "reads are not blocked"
    );
    assert_eq!(client.get("/health/live").send().await.status, 200);
    let ready = client.get("/health/ready").send().await;
    assert!(matches!(ready.status, 200 | 503), "{}", ready.body);

    other.batch_execute("ROLLBACK").expect("an end");
    assert_eq!(
        client.token_codes(&pair).await,
        ("accepted".into(), "accepted".into())
    );
    assert_eq!(client.register("bob").await.status, 201);
}
