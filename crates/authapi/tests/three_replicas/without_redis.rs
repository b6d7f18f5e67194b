//! Three servers on one Postgres without Redis: invalidations are sent with NOTIFY.

#![expect(
    clippy::indexing_slicing,
    reason = "an answer that lacks what a test looks for should fail it"
)]

use crate::{
    client::Client,
    it::session_cache::{revoke_by_each_command, wait_until_cached},
    replicas::revoke_in_each_way,
    server::{Place, Server, TIMEOUT},
};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const ROUNDS: usize = 200;
/// Less than a revocation takes that waits until leases have expired.
const WITHOUT_A_WAIT: Duration = Duration::from_secs(2);

fn without_redis() -> Place {
    Place::new().with("REDIS__URL", "")
}

/// Returns the answer of the readiness check once its status is `expected`.
async fn wait_for_status(client: &Client, expected: &str) -> Value {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ready = client.get("/health/ready").send_once().await;
        if (ready.status, ready.body["status"].as_str()) == (200, Some(expected)) {
            return ready.body;
        }
        assert!(Instant::now() < deadline, "{}", ready.body);
        sleep(Duration::from_millis(50)).await;
    }
}

/// Returns how many lines of the log have this message.
fn count_logged(server: &Server, message: &str) -> usize {
    let lines = server.log().lines();
    let events = lines
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    events.filter(|event| event["message"] == message).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_rejected_by_all_replicas_without_redis() {
    let server = without_redis().start();
    revoke_in_each_way(&server, ROUNDS).await;
    for replica in server.each() {
        let ready = wait_for_status(&replica, "ready").await;
        assert_eq!(ready["dependencies"], json!({"database": "up", "bus": "up"}));
        assert_eq!(ready["session_cache"]["bus"], "postgres");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_revoke_on_running_replicas_without_redis() {
    revoke_by_each_command(&without_redis().start()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_sessions_are_revoked_without_waiting_for_leases() {
    let server = without_redis().start();
    let replicas = server.each();
    replicas[0].user("alice").await;
    // On a busy machine, an acknowledgement may be late now and then.
    let mut waited = 0;
    loop {
        let pair = replicas[0].session("alice").await;
        wait_until_cached(&replicas, &[&pair]).await;
        let asked = Instant::now();
        assert_eq!(replicas[1].log_out(&pair.access).await.status, 204);
        if asked.elapsed() < WITHOUT_A_WAIT {
            break;
        }
        waited += 1;
        assert!(waited < 10, "every revocation waits");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_no_message_reaches_read_the_database_and_say_so_once() {
    let elsewhere = testservers::postgres().fresh_database();
    let server = without_redis()
        .with("DATABASE__LISTEN_URL", elsewhere.url())
        .start();
    let replicas = server.each();
    let pair = replicas[0].user("alice").await;
    for replica in &replicas {
        let degraded = wait_for_status(replica, "degraded").await;
        assert_eq!(degraded["dependencies"], json!({"database": "up", "bus": "down"}));
        assert_eq!(replica.me_code(&pair.access).await, "accepted");
    }
    // Each replica has tried to subscribe again by now.
    for replica in &replicas {
        wait_for_status(replica, "degraded").await;
        assert_eq!(replica.me_code(&pair.access).await, "accepted");
        let state = wait_for_status(replica, "degraded").await;
        assert_eq!(state["session_cache"]["lease"], "none");
    }
    assert_eq!(replicas[0].log_out(&pair.access).await.status, 204);
    for replica in &replicas {
        assert_eq!(replica.me_code(&pair.access).await, "token_revoked");
    }
    let said = count_logged(&server, "the subscription to the bus failed");
    assert_eq!(said, replicas.len());
}
