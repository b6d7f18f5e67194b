//! A change that waits too long for a row locked by another client is refused, and other changes
//! are not delayed.

use crate::{
    client::{NEW_PASSWORD, PASSWORD},
    server::Server,
};
use std::time::{Duration, Instant};
use tokio_postgres::NoTls;

/// The limit is one second; the rest is for a busy machine.
const SOON: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn while_a_user_row_is_locked_changes_of_the_user_are_refused_in_time_and_have_no_effect() {
    let server = Server::start();
    let client = server.client();
    let alice = client.user("alice").await;
    let url = server.place().database().url();
    let (other, connection) = tokio_postgres::connect(&url, NoTls).await.expect("a database");
    let connection = tokio::spawn(connection);
    let hold = "BEGIN; SELECT id FROM users WHERE login = 'alice' FOR UPDATE";
    other.batch_execute(hold).await.expect("a lock on alice");

    for call in [
        client.logging_in("alice", PASSWORD),
        client.assigning(&alice.access, "alice", &[], false),
        client.changing_password(&alice.access, PASSWORD, NEW_PASSWORD),
        client.post("/logout?everywhere=true").bearer(&alice.access),
    ] {
        let asked = Instant::now();
        let answer = call.send_once().await;
        // On a busy machine, the wait budget of the request may run out before the lock timeout.
        assert!(
            matches!(answer.code(), "overloaded" | "unavailable"),
            "{}",
            answer.body
        );
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"));
        assert!(asked.elapsed() < SOON, "{:?}", asked.elapsed());
    }
    let bob = client.user("bob").await;
    assert_eq!(
        client.token_codes(&bob).await,
        ("accepted".into(), "accepted".into())
    );
    assert_eq!(
        client.me_code(&alice.access).await,
        "accepted",
        "reads are not blocked"
    );

    other.batch_execute("ROLLBACK").await.expect("an end");
    assert_eq!(
        client.token_codes(&alice).await,
        ("accepted".into(), "accepted".into())
    );
    client.session("alice").await;
    drop(other);
    connection.await.expect("no panic").expect("a good end");
}
