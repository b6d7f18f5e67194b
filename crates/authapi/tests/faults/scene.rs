//! The course of every fault: load, the fault, the questions, the mend, and the reckoning.

use crate::{
    cells::{AT_MOST, Asked, Cells, Row, SOON},
    client::Client,
    journal::{GRACE, Outcome, Story, check, check_database, check_trail, settle},
    oracle::{Journal, Oracle, Seen},
    server::{Place, Server},
};
use std::{
    fs,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::sleep};

/// How many rounds of questions there are while a fault lasts.
const ROUNDS: usize = 2;
/// Load before a fault and after its end.
const WARMING_UP: Duration = Duration::from_millis(700);
/// After this a fault is in full force: whoever waited when it began has been answered, and broken connections are given
/// up.
const IN_FORCE: Duration = Duration::from_millis(1_500);
/// Everything works again so soon after a fault.
const RECOVERED: Duration = Duration::from_secs(2);
/// How long open files may take to be closed when nobody asks for anything any more.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Connections to a database, for each replica.
pub const POOL: usize = 8;
/// Open files that come and go: Redis, and what is being closed.
const SOME: usize = 8;
/// How many users are looked at at once.
const LOOKING: usize = 4;

/// What the service should do to the requests of the load while the fault lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// Everything is answered.
    Nothing,
    /// Some of it, or all, is refused.
    Refusals,
}

/// A service under load, to which something happens.
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

/// The settings that all have here.
pub fn setting(place: Place) -> Place {
    place
        .with_admin("root")
        .with("TOKENS__REFRESH_GRACE", GRACE)
        .with("DATABASE__POOL_SIZE", &POOL.to_string())
        .with("THROTTLE__CLIENT_BURST", "1000")
        .with("THROTTLE__CLIENT_PER_MINUTE", "1000000")
        .with("THROTTLE__ACCOUNT_BURST", "1000")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1000000")
}

impl Scene {
    /// Starts the service of `place`, and load on it.
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

    /// To be said right before the fault is caused.
    pub fn breaks(&mut self) {
        self.caused = Instant::now();
    }

    /// Asks what is promised while the fault lasts, as soon as it is in full force.
    pub async fn expect(&mut self, row: &Row) {
        sleep(IN_FORCE.saturating_sub(self.caused.elapsed())).await;
        for cells in self.cells.drain(..) {
            self.asked.push(cells.ask(&self.client, &self.root, row).await);
        }
    }

    /// To be said right after the mend. Everything has to be well soon, and to stay so.
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

    /// Ends the load, looks whether the journal and the service agree, and tells of it in one line. The server is as it
    /// was, for whoever wants to look at its database.
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

    /// Everything was answered, refusals came soon, and nothing was refused before the fault or long after the mend. The
    /// client has looked at every answer's form, and that it is no 500.
    ///
    /// What revokes may be answered late, when the database went away after its commit: nobody can tell then which replicas
    /// answer from memory, and it waits for the database, and for a lease to run out.
    fn check_times(&self, journal: &Journal, harm: Harm) {
        let unanswered: Vec<_> = journal.of(Outcome::NoAnswer).collect();
        assert!(unanswered.is_empty(), "{unanswered:?}");
        for seen in journal.of(Outcome::Refused) {
            assert!(seen.took <= SOON, "refused after {seen}");
            assert!(seen.asked + seen.took >= self.caused, "refused too early: {seen}");
            let late = seen.asked.saturating_duration_since(self.mended);
            assert!(late < RECOVERED, "refused {late:?} after the mend: {seen}");
        }
        let some = journal.count(Outcome::Refused);
        match harm {
            Harm::Nothing => assert_eq!(some, 0, "refusals, {:?}", journal.slowest(Outcome::Refused)),
            Harm::Refusals => assert_ne!(some, 0, "refusals"),
        }
        for seen in journal.of(Outcome::Answered).filter(|seen| seen.took > AT_MOST) {
            assert!(seen.revokes(), "answered after {seen}");
            let late = (seen.asked + seen.took).saturating_duration_since(self.mended);
            assert!(late <= AT_MOST, "answered {late:?} after the mend: {seen}");
        }
    }

    /// [`Scene::close`], and whether the journal and the database agree.
    pub async fn close_and_look(self, harm: Harm) -> Server {
        let (server, stories) = self.close(harm).await;
        let database = server.place().database();
        settle(database).await;
        check_database(database).await;
        check_trail(database, &stories).await;
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
    Arc::into_inner(stories).expect("nobody looks any more")
}

fn open_files(pid: u32) -> usize {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).expect("it runs");
    files.count()
}

/// The service has let go of everything that it took for requests and for connections that broke.
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

/// Tells what happened in one line, for those who watch.
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
