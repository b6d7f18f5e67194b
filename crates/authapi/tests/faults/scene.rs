//! The steps of every fault test: load, fault, requests, recovery and final checks.

use crate::{
    cells::{AT_MOST, Asked, Cells, Row, SOON},
    client::Client,
    journal::{GRACE, Outcome, Story, check, check_audit_log, check_database, settle},
    oracle::{Journal, Oracle, Seen},
    server::{Place, Server},
};
use std::{
    fs,
    io::ErrorKind,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// The number of rounds of requests during a fault.
const ROUNDS: usize = 2;
/// The duration of the load before a fault and after its end.
const WARMING_UP: Duration = Duration::from_millis(700);
/// The time until a fault takes full effect: requests that waited when it began have been answered,
/// broken connections are closed, and leases that could not be renewed have expired.
const IN_FORCE: Duration = Duration::from_millis(2_200);
/// The maximum time to recover after a fault.
const RECOVERED: Duration = Duration::from_secs(2);
/// How long an idle server may take to close open files.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The number of database connections of each replica.
pub const POOL: usize = 8;
/// The allowance for open files that come and go: Redis, and files being closed.
const SOME: usize = 8;
/// The number of users checked concurrently.
const LOOKING: usize = 4;

/// The expected effect of the fault on the requests of the load.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Every request succeeds.
    Nothing,
    /// Some or all requests are refused.
    Refusals,
}

/// A service under load, to which a fault is applied.
pub struct Scene {
    name: &'static str,
    pub server: Server,
    pub client: Client,
    pub root: String,
    oracle: Oracle,
    cells: Vec<Cells>,
    asked: Vec<Asked>,
    files_before: usize,
    caused: Instant,
    mended: Instant,
}

/// Applies the settings that all scenes use.
pub fn setting(place: Place) -> Place {
    place
        .with_admin("root")
        .with("TOKENS__REFRESH_GRACE", GRACE)
        .with("DATABASE__POOL_SIZE", &POOL.to_string())
        .with("THROTTLE__CLIENT_BURST", "1000")
        .with("THROTTLE__CLIENT_PER_MINUTE", "1000000")
        .with("THROTTLE__ACCOUNT_BURST", "1000")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1000000")
        .with("THROTTLE__FAILURES_BURST", "1000")
        .with("THROTTLE__FAILURES_PER_HOUR", "1000000")
        .with("THROTTLE__SERVICE_BURST", "1000000")
        .with("THROTTLE__SERVICE_PER_MINUTE", "1000000")
        .with("THROTTLE__SESSION_BURST", "1000")
        .with("THROTTLE__SESSION_PER_HOUR", "1000000")
        .with("THROTTLE__CHANGES_BURST", "1000")
        .with("THROTTLE__CHANGES_PER_HOUR", "1000000")
}

impl Scene {
    /// Starts the service of `place` and the load.
    pub async fn open(name: &'static str, place: Place) -> Self {
        let server = place.start();
        let client = server.client();
        let root = client.session("root").await.access;
        let mut cells = Vec::new();
        for round in 0..ROUNDS {
            cells.push(Cells::prepare(&client, round).await);
        }
        let files_before = open_files(server.pid());
        let oracle = Oracle::start(&server, &root, "user").await;
        sleep(WARMING_UP).await;
        let now = Instant::now();
        Self {
            name,
            server,
            client,
            root,
            oracle,
            cells,
            asked: Vec::new(),
            files_before,
            caused: now,
            mended: now,
        }
    }

    /// Records that the fault starts now. Call it right before the fault.
    pub fn breaks(&mut self) {
        self.caused = Instant::now();
    }

    /// Checks `row` while the fault lasts, once it has taken full effect.
    pub async fn expect(&mut self, row: &Row) {
        sleep(IN_FORCE.saturating_sub(self.caused.elapsed())).await;
        for cells in self.cells.drain(..) {
            self.asked.push(cells.ask(&self.client, &self.root, row).await);
        }
    }

    /// Records that the fault is over, and checks that the service recovers in time and stays well.
    pub async fn is_mended(&mut self) {
        self.mended = Instant::now();
        let is_ready = async |client: &Client| {
            let ready = client.get("/health/ready").send().await;
            (ready.status, ready.body["status"].as_str()) == (200, Some("ready"))
        };
        while !is_ready(&self.client).await {
            let since = self.mended.elapsed();
            assert!(since <= RECOVERED, "{}: unready {since:?} after it", self.name);
            sleep(Duration::from_millis(20)).await;
        }
        sleep((RECOVERED + WARMING_UP).saturating_sub(self.mended.elapsed())).await;
    }

    /// Ends the load, compares the journal with the service and prints a summary. Returns the
    /// running server, for checks of its database.
    pub async fn close(mut self, harm: Harm) -> (Server, Vec<Story>) {
        let journal = self.oracle.end().await;
        let slowest_cell = self.asked.iter().map(|asked| asked.slowest).max();
        report(self.name, &journal, self.caused, self.mended, slowest_cell);
        self.check_times(&journal, harm);
        for asked in &self.asked {
            asked.check_afterwards(&self.client).await;
        }
        let stories = check_all(&self.client, journal.stories).await;
        drop(self.client);
        check_leaks(self.server.pid(), self.files_before).await;
        (self.server, stories)
    }

    /// Checks that every request was answered, that refusals came soon, and that none came before
    /// the fault or long after its end. The client has checked the form of every answer, and that
    /// none is a 500.
    ///
    /// Revocations may be answered late if the database became unavailable after the commit: the
    /// service then cannot know which replicas answer from memory, so it waits for the database and
    /// for a lease to expire.
    fn check_times(&self, journal: &Journal, harm: Harm) {
        let unanswered: Vec<_> = journal.of(Outcome::NoAnswer).collect();
        assert!(unanswered.is_empty(), "{unanswered:?}");
        for seen in journal.of(Outcome::Refused) {
            assert!(seen.took <= SOON, "refused after {seen}");
            assert!(seen.asked + seen.took >= self.caused, "refused too early: {seen}");
            let late = seen.asked.saturating_duration_since(self.mended);
            assert!(late < RECOVERED, "refused {late:?} after recovery began: {seen}");
        }
        let some = journal.count(Outcome::Refused);
        match harm {
            Harm::Nothing => assert_eq!(
                some,
                0,
                "some requests were refused, the slowest: {:?}",
                journal.slowest(Outcome::Refused)
            ),
            Harm::Refusals => assert_ne!(some, 0, "no request was refused"),
        }
        for seen in journal.of(Outcome::Answered).filter(|seen| seen.took > AT_MOST) {
            assert!(seen.revokes(), "answered after {seen}");
            let late = (seen.asked + seen.took).saturating_duration_since(self.mended);
            assert!(late <= AT_MOST, "answered {late:?} after recovery began: {seen}");
        }
    }

    /// Closes the scene and compares the journal with the database.
    pub async fn close_and_look(self, harm: Harm) -> Server {
        let (server, stories) = self.close(harm).await;
        let database = server.place().database();
        settle(database).await;
        check_database(database).await;
        check_audit_log(database, &stories).await;
        server
    }
}

/// Compares every story with the service.
pub async fn check_all(client: &Client, stories: Vec<Story>) -> Vec<Story> {
    let stories = Arc::new(stories);
    let mut looking = JoinSet::new();
    for first in 0..LOOKING {
        let (client, stories) = (client.clone(), Arc::clone(&stories));
        looking.spawn(async move {
            for story in stories.iter().skip(first).step_by(LOOKING) {
                check(&client, story).await;
            }
        });
    }
    looking.join_all().await;
    Arc::into_inner(stories).expect("all checks have ended")
}

/// Returns 0 unless root runs the tests, since the service hides its files from other users.
fn open_files(pid: u32) -> usize {
    match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(files) => files.count(),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => 0,
        Err(error) => panic!("the process is not running: {error}"),
    }
}

/// Checks that the service has closed the files of requests and of broken connections.
async fn check_leaks(pid: u32, before: usize) {
    let most = before + POOL + SOME;
    let deadline = Instant::now() + TIMEOUT;
    while open_files(pid) > most {
        let now = open_files(pid);
        assert!(
            Instant::now() < deadline,
            "{before} open files before, {now} after"
        );
        sleep(Duration::from_millis(50)).await;
    }
}

/// Prints a one-line summary.
pub fn report(
    name: &str,
    journal: &Journal,
    caused: Instant,
    mended: Instant,
    slowest_cell: Option<Duration>,
) {
    let after = |moment: Instant, since: Instant| moment.saturating_duration_since(since).as_millis();
    let told = |seen: Option<&Seen>| seen.map_or("none".to_owned(), Seen::to_string);
    let refused = || journal.of(Outcome::Refused);
    let first = refused().map(|seen| after(seen.asked + seen.took, caused)).min();
    let last = refused().map(|seen| after(seen.asked, mended)).max();
    println!(
        "{name}: first 503 after {}, slowest 503 {}, slowest answer {}, recovered after {} ms, slowest of the table {} ms; \
         {} requests: {} answered, {} refused, {} without an answer",
        first.map_or("none".to_owned(), |first| format!("{first} ms")),
        told(journal.slowest(Outcome::Refused)),
        told(journal.slowest(Outcome::Answered)),
        last.unwrap_or_default(),
        slowest_cell.unwrap_or_default().as_millis(),
        journal.seen.len(),
        journal.count(Outcome::Answered) + journal.count(Outcome::DoneBefore),
        journal.count(Outcome::Refused),
        journal.count(Outcome::NoAnswer),
    );
}
