//! More simultaneous logins than can be hashed in time.

use crate::{
    backing::Database,
    burst::{at_once, tally},
    client::{Call, PASSWORD},
    scene::setting,
    server::Place,
};
use serde_json::Value;
use std::time::Duration;

const LOGINS: usize = 2_000;
/// A refused login waits at most for database readers and for a core, while two thousand clients
/// compete for both.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// The service admits a login only if it expects to serve it within five seconds, judged by recent
/// hashing times. Without this limit, logins would wait for more than twenty seconds.
const SERVED_WITHIN: Duration = Duration::from_secs(15);

/// Returns the durations that the server logged for logins with this status.
fn times(log: &[String], status: u16) -> Vec<Duration> {
    let events = log
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).expect("an event"));
    let mut times: Vec<_> = events
        .filter(|event| event["route"] == "/login" && event["status"] == status)
        .map(|event| Duration::from_micros(event["elapsed_us"].as_u64().expect("a time")))
        .collect();
    times.sort();
    times
}

/// Uses the durations in the server's log, because this process opens two thousand connections at
/// once and takes long to read the responses.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_thousand_simultaneous_logins_some_are_refused_soon_and_the_others_succeed() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::Sqlite(folder.path().join("data/authapi.db"));
    let server = setting(Place::on(folder, database, 1))
        .with("PASSWORD__MEMORY_KIB", "65536")
        .with("PASSWORD__HASH_THREADS", "1")
        .start();
    let client = server.client();
    client.user("alice").await;

    let calls = (0..LOGINS).map(|_| client.logging_in("alice", PASSWORD));
    let answers = at_once(calls.map(Call::without_retries).collect()).await;

    for answer in &answers {
        let told = (answer.status, answer.code());
        assert!(matches!(told, (200, _) | (503, "overloaded")), "{}", answer.body);
    }
    let stopped = server.terminate();
    let (refused, let_in) = (times(&stopped.log, 503), times(&stopped.log, 200));
    println!(
        "{LOGINS} logins at once: {:?}; slowest 503 {:?}, slowest 200 {:?}",
        tally(&answers),
        refused.last(),
        let_in.last()
    );
    assert!(*let_in.last().expect("some logins succeed") <= SERVED_WITHIN);
    assert!(*refused.last().expect("some logins are refused") <= REFUSED_WITHIN);
}
