//! A replica is not ready while Postgres accepts no changes, and reads no sessions from it.

use crate::{
    client::{Call, Client, PASSWORD},
    server::{Place, Server},
    start_failures::execute,
};
use std::{
    fs,
    time::{Duration, Instant},
};
use testservers::Postgres;
use tokio::time::sleep;

/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

async fn wait_for_readiness(client: &Client, expected: u16) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ready = client.get("/health/ready").send_once().await;
        if ready.status == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{}", ready.body);
        sleep(Duration::from_millis(50)).await;
    }
}

/// Repeats a call until it is refused. The check that failed has closed the idle connections, but
/// on a busy machine the server may apply the new setting to one that was in use a little later.
async fn wait_for_refusal(call: impl Fn() -> Call) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let answer = call().send_once().await;
        if answer.status != 200 {
            assert_eq!(answer.code(), "unavailable");
            return;
        }
        assert!(Instant::now() < deadline, "the call succeeds");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Checks that the cause of the failed checks is in the log.
fn check_log(server: &Server) {
    let logged = server.log().wait_for(TIMEOUT, |line| {
        let is_it = line.contains("database is unavailable") && line.contains("does not allow writes");
        is_it.then_some(())
    });
    assert!(logged.is_some(), "{:#?}", server.log().lines());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_not_ready_while_transactions_are_read_only() {
    let postgres = Postgres::start_own();
    let server = Place::new().with("DATABASE__URL", postgres.url()).start();
    let client = server.client();
    let alice = client.user("alice").await;
    wait_for_readiness(&client, 200).await;

    execute(
        postgres.url(),
        "ALTER SYSTEM SET default_transaction_read_only = on",
    )
    .await;
    execute(postgres.url(), "SELECT pg_reload_conf()").await;
    wait_for_readiness(&client, 503).await;
    wait_for_refusal(|| client.get("/me").bearer(&alice.access)).await;
    wait_for_refusal(|| client.logging_in("alice", PASSWORD)).await;
    check_log(&server);

    let writable = format!(
        "{}?options=-c%20default_transaction_read_only%3Doff",
        postgres.url()
    );
    execute(&writable, "ALTER SYSTEM RESET default_transaction_read_only").await;
    execute(postgres.url(), "SELECT pg_reload_conf()").await;
    wait_for_readiness(&client, 200).await;
    client.session("alice").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_is_not_ready_while_it_is_connected_to_a_standby() {
    let postgres = Postgres::start_own();
    let server = Place::new().with("DATABASE__URL", postgres.url()).start();
    let client = server.client();
    client.user("alice").await;

    // The state after a failover that left the old primary at its address.
    let standby = postgres.folder().join("data/standby.signal");
    fs::write(&standby, "").expect("the file can be written");
    postgres.restart();
    wait_for_readiness(&client, 503).await;
    check_log(&server);

    fs::remove_file(&standby).expect("the file exists");
    postgres.restart();
    wait_for_readiness(&client, 200).await;
    client.session("alice").await;
}
