//! More logins at one moment than can be hashed in time.

use crate::{
    backing::Database,
    client::PASSWORD,
    crowd::{at_once, tally},
    scene::setting,
    server::Place,
};
use serde_json::Value;
use std::time::Duration;

const LOGINS: usize = 2_000;
/// A refusal waits for readers of the database at the most, and for a core, which two thousand clients want as well.
const REFUSED_WITHIN: Duration = Duration::from_secs(2);
/// Who is let in is expected to be served within five seconds, as long as a hash takes what it took before. Let in without
/// looking at the queue, they wait for more than twenty.
const SERVED_WITHIN: Duration = Duration::from_secs(15);

/// How long the server took for each login that it answered so.
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

/// The server's own clock is looked at: two thousand connections are opened at once here, and this process takes its time to
/// read two thousand answers.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_thousand_logins_at_once_those_that_are_refused_are_told_soon_and_all_others_are_let_in() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = Database::Sqlite(folder.path().join("data/authapi.db"));
    let server = setting(Place::on(folder, database, 1))
        .with("PASSWORD__MEMORY_KIB", "65536")
        .with("PASSWORD__HASH_THREADS", "1")
        .start();
    let client = server.client();
    client.user("alice").await;

    let calls = (0..LOGINS).map(|_| client.logging_in("alice", PASSWORD));
    let answers = at_once(calls.collect()).await;

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
    assert!(*let_in.last().expect("somebody is let in") <= SERVED_WITHIN);
    assert!(*refused.last().expect("not everybody") <= REFUSED_WITHIN);
}
