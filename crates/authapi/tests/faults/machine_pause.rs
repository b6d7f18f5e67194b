//! A hypervisor pauses the machine of a replica: the process stops, and so do its clocks.

use crate::{
    backing::Database,
    client::Client,
    scene::setting,
    server::{Place, Server},
};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;
use testservers::FreshDatabase;
use tokio::time::sleep;

/// Long enough for a lease to expire.
const PAUSE: Duration = Duration::from_secs(5);
/// Long enough for a replica to acquire a lease and cache a session.
const WARMING_UP: Duration = Duration::from_secs(3);
/// How long a revoked token is presented after the pause: longer than a lease.
const PROBING: Duration = Duration::from_secs(3);

/// Whether the host sets the machine's calendar clock when the pause ends.
#[derive(Clone, Copy)]
enum Host {
    SetsTheClock,
    LeavesTheClock,
}

/// Two replicas on one Postgres and one Redis. The machine of the first can be paused.
struct Replicas {
    paused: Server,
    other: Server,
    offsets: File,
    _shared: TempDir,
    _database: FreshDatabase,
}

/// Compiles the library that sets clocks back.
fn library(folder: &Path) -> String {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/faults/stopped_clocks.c");
    let library = folder.join("stopped_clocks.so");
    let mut compile = Command::new("cc");
    compile
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .args([&library, &source])
        .arg("-ldl");
    let compiled = compile.status().expect("a C compiler: apt-get install gcc");
    assert!(compiled.success());
    library.display().to_string()
}

impl Replicas {
    fn start(settings: &[(&str, &str)]) -> Self {
        let (database, redis) = (testservers::postgres().fresh_database(), testservers::redis());
        let shared = tempfile::tempdir().expect("the folder can be created");
        let path = shared.path().join("offsets");
        fs::write(&path, [0; 16]).expect("the file can be written");
        let keys = shared.path().join("keys").display().to_string();
        let place = || {
            let folder = tempfile::tempdir().expect("the folder can be created");
            // Both places share one database, so neither may own it.
            let unused = Database::Sqlite(folder.path().join("unused"));
            let place = setting(Place::on(folder, unused, 1))
                .with("DATABASE__URL", database.url())
                .with("REDIS__URL", redis.url())
                .with("KEYS__DIR", &keys);
            settings
                .iter()
                .fold(place, |place, (name, value)| place.with(name, value))
        };
        let mut pausable = place();
        pausable.wrapper = vec![
            "env".to_owned(),
            format!("LD_PRELOAD={}", library(shared.path())),
            format!("CLOCK_OFFSETS={}", path.display()),
        ];
        let offsets = File::options().write(true).open(&path);
        Self {
            paused: pausable.start(),
            other: place().start(),
            offsets: offsets.expect("the file can be opened"),
            _shared: shared,
            _database: database,
        }
    }

    fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.paused.pid()).expect("the process id fits");
        let pid = Pid::from_raw(pid).expect("a process id is not 0");
        kill_process(pid, signal).expect("the process is running");
    }

    /// Pauses the machine during `meanwhile`, and for at least [`PAUSE`].
    async fn pause(&self, host: Host, meanwhile: impl Future<Output = ()>) {
        self.signal(Signal::STOP);
        let stopped = Instant::now();
        meanwhile.await;
        sleep(PAUSE.saturating_sub(stopped.elapsed())).await;
        let behind = i64::try_from(stopped.elapsed().as_nanos()).expect("the pause is short");
        let calendar = match host {
            Host::SetsTheClock => 0,
            Host::LeavesTheClock => behind,
        };
        let offsets: Vec<u8> = [calendar, behind]
            .into_iter()
            .flat_map(i64::to_ne_bytes)
            .collect();
        self.offsets
            .write_all_at(&offsets, 0)
            .expect("the file can be written");
        self.signal(Signal::CONT);
    }
}

/// Revokes a cached session while the machine is paused, and returns what the replica answers to
/// the token for a while afterwards.
async fn answers_after_a_pause(settings: &[(&str, &str)], host: Host) -> Vec<String> {
    let replicas = Replicas::start(settings);
    let (client, other): (Client, Client) = (replicas.paused.client(), replicas.other.client());
    let pair = client.user("alice").await;
    let warm = Instant::now() + WARMING_UP;
    while Instant::now() < warm {
        assert_eq!(client.me_code(&pair.access).await, "accepted");
        sleep(Duration::from_millis(20)).await;
    }
    let revoking = async {
        assert_eq!(other.log_out(&pair.access).await.status, 204);
    };
    replicas.pause(host, revoking).await;

    let mut answers = Vec::new();
    let end = Instant::now() + PROBING;
    while Instant::now() < end {
        answers.push(client.me_code(&pair.access).await);
    }
    println!("{} answers, {} accepted", answers.len(), accepted(&answers));
    answers
}

fn accepted(answers: &[String]) -> usize {
    answers.iter().filter(|answer| *answer == "accepted").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_pause_nothing_that_was_revoked_is_accepted_if_the_host_sets_the_clock() {
    let answers = answers_after_a_pause(&[], Host::SetsTheClock).await;
    assert_eq!(accepted(&answers), 0, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_pause_nothing_that_was_revoked_is_accepted_without_a_session_cache() {
    let uncached = [("SESSION_CACHE__MEMORY", "false")];
    let answers = answers_after_a_pause(&uncached, Host::LeavesTheClock).await;
    assert_eq!(accepted(&answers), 0, "{answers:?}");
}

/// `docs/revocation.md` names this as an assumption: the replica cannot notice the pause before its
/// next renewal is refused.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_pause_that_left_no_trace_the_next_renewal_ends_what_was_revoked() {
    let answers = answers_after_a_pause(&[], Host::LeavesTheClock).await;
    let refused = answers.iter().skip_while(|answer| *answer == "accepted");
    let refused: Vec<_> = refused.collect();
    assert!(!refused.is_empty(), "the token is still accepted");
    assert!(refused.iter().all(|answer| *answer != "accepted"), "{answers:?}");
}
