//! Wall clocks that are wrong, and set right while the service runs.

use crate::{
    backing::Database,
    client::{Answer, Client, Pair},
    clock_step::stepping,
    scene::setting,
    server::{Place, Server},
};
use chrono::{DateTime, FixedOffset};
use serde_json::Value;
use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::time::sleep;

/// Longer than the interval between comparisons of the clocks.
const TIMEOUT: Duration = Duration::from_mins(1);

/// A running service whose clock a test sets.
struct Clocked {
    server: Server,
    step: PathBuf,
    // Deleted after the server has ended.
    _folder: TempDir,
}

impl Clocked {
    /// Starts the service with a clock that is ahead by `ahead`, in the format of faketime.
    fn start(ahead: &str, place: Place) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let step = folder.path().join("step");
        fs::write(&step, ahead).expect("a file");
        let mut place = setting(place);
        place.wrapper = stepping(&step);
        Self {
            server: place.start(),
            step,
            _folder: folder,
        }
    }

    fn set_clock_right(&self) {
        fs::write(&self.step, "+0").expect("a file");
    }
}

fn on_sqlite() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("data/authapi.db");
    Place::on(folder, Database::Sqlite(file), 1)
}

fn on_postgres() -> Place {
    let folder = tempfile::tempdir().expect("a folder");
    let database = testservers::postgres().fresh_database();
    Place::on(folder, Database::Postgres(database), 1)
}

fn instant(value: &Value) -> DateTime<FixedOffset> {
    let text = value.as_str().expect("a text");
    DateTime::parse_from_rfc3339(text).expect("an instant")
}

/// Returns the end of the session of `pair`.
async fn end_of(client: &Client, pair: &Pair) -> DateTime<FixedOffset> {
    let me = client.me(&pair.access).await;
    assert_eq!(me.status, 200, "{}", me.body);
    instant(&me.body["session"]["expires_at"])
}

async fn refreshed(client: &Client, pair: &Pair) -> Pair {
    let answer = client.refresh(&pair.refresh).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.pair()
}

/// Waits until the service reports `status`, and returns its report.
async fn ready(client: &Client, status: &str) -> Answer {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ready = client.get("/health/ready").send().await;
        assert_eq!(ready.status, 200, "{}", ready.body);
        if ready.body["status"] == status {
            return ready;
        }
        assert!(Instant::now() < deadline, "{}", ready.body);
        sleep(Duration::from_millis(100)).await;
    }
}

async fn sessions(client: &Client, pair: &Pair) -> Answer {
    client.get("/me/sessions").bearer(&pair.access).send().await
}

async fn after_a_clock_that_was_ahead(place: Place) {
    let clocked = Clocked::start("+1d", place.with("TOKENS__MAX_SESSIONS_PER_USER", "2"));
    let client = clocked.server.client();
    let first = client.user("alice").await;
    let second = client.session("alice").await;
    clocked.set_clock_right();

    let third = client.session("alice").await;
    assert_eq!(client.me_code(&third.access).await, "accepted");
    assert_eq!(client.refresh_code(&first.refresh).await, "session_revoked");
    let listed = sessions(&client, &third).await;
    let second = refreshed(&client, &second).await;
    let end_of_second = end_of(&client, &second).await;

    let fourth = client.session("alice").await;
    let end_of_fourth = end_of(&client, &fourth).await;
    assert!(end_of_second < end_of_fourth, "{end_of_second} {end_of_fourth}");
    let ends: Vec<_> = listed.body["sessions"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|session| instant(&session["expires_at"]))
        .collect();
    assert_eq!(ends.len(), 2, "{}", listed.body);
    assert!(ends.iter().all(|end| *end < end_of_fourth), "{}", listed.body);
    assert_eq!(client.me_code(&second.access).await, "token_revoked");
    assert_eq!(client.me_code(&third.access).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_clock_that_was_a_day_ahead_logins_work_and_no_session_ends_late_on_sqlite() {
    after_a_clock_that_was_ahead(on_sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_clock_that_was_a_day_ahead_logins_work_and_no_session_ends_late_on_postgres() {
    after_a_clock_that_was_ahead(on_postgres()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_whose_clock_differs_from_the_databases_is_degraded_until_it_is_set_right() {
    for ahead in ["+60", "-60"] {
        let clocked = Clocked::start(ahead, on_postgres());
        let client = clocked.server.client();
        assert_eq!(ready(&client, "degraded").await.body["clock"], "skewed");
        let pair = client.user("alice").await;
        assert_eq!(client.me_code(&pair.access).await, "accepted");
        clocked.set_clock_right();
        assert_eq!(ready(&client, "ready").await.body["clock"], "right");
        let log = clocked.server.terminate().log;
        for line in [
            "clock differs from the database's; synchronise",
            "agrees with the database's again",
        ] {
            let count = log.iter().filter(|logged| logged.contains(line)).count();
            assert_eq!(count, 1, "{line}: {log:#?}");
        }
    }
}
