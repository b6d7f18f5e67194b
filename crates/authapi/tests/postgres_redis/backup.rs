//! A backup taken while users log in, and the state after it has been restored.

use crate::{
    client::{Client, PASSWORD, Pair},
    server::{Place, Server},
};
use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use testservers::{FreshDatabase, postgres};
use tokio::{task::JoinHandle, time::sleep};
use tokio_postgres::NoTls;

const USERS: usize = 8;
/// The number of logins before the backup starts, and again during it.
const LOGINS: usize = 10;
/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);
/// The statement in `docs/backup.md`.
const END_ALL_SESSIONS: &str =
    "UPDATE sessions SET revoked_at = now(), revoke_reason = 'logged_out' WHERE revoked_at IS NULL";

/// Users who log in repeatedly, without pauses.
struct LoginLoad {
    logins: Arc<AtomicUsize>,
    stopped: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<()>>,
}

impl LoginLoad {
    async fn start(client: &Client) -> Self {
        let (logins, stopped) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let mut tasks = Vec::new();
        for number in 0..USERS {
            let login = format!("burst-{number}");
            client.user(&login).await;
            let (client, logins, stopped) = (client.clone(), Arc::clone(&logins), Arc::clone(&stopped));
            tasks.push(tokio::spawn(async move {
                while !stopped.load(Ordering::Relaxed) {
                    client.session(&login).await;
                    logins.fetch_add(1, Ordering::Relaxed);
                }
            }));
        }
        Self {
            logins,
            stopped,
            tasks,
        }
    }

    /// Waits for `more` logins, and fails when a login fails.
    async fn wait_for(&self, more: usize) {
        let (goal, asked) = (self.logins.load(Ordering::Relaxed) + more, Instant::now());
        while self.logins.load(Ordering::Relaxed) < goal {
            assert!(asked.elapsed() < TIMEOUT, "the logins have stopped");
            assert!(!self.tasks.iter().any(JoinHandle::is_finished), "a login failed");
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the logins, and fails if one of them failed.
    async fn stop(self) {
        self.stopped.store(true, Ordering::Relaxed);
        for task in self.tasks {
            task.await.expect("every login succeeds");
        }
    }
}

async fn run(command: &mut Command) {
    let mut child = command.spawn().expect("the program can be started");
    let ended = tokio::task::spawn_blocking(move || child.wait()).await;
    let status = ended
        .expect("the task does not panic")
        .expect("the program can be waited for");
    assert!(status.success(), "{command:?}: {status}");
}

async fn back_up(url: &str, file: &Path) {
    let mut command = Command::new(postgres().program("pg_dump"));
    run(command.args(["--format=custom", "--file"]).arg(file).arg(url)).await;
}

/// Copies the keys. The newest checkpoint of the audit log stays behind: that of a key folder in a
/// backup is as old as the database.
fn copy_keys(from: &Place, to: &Place) {
    fs::create_dir(to.keys()).expect("the folder can be created");
    for ending in [".pem", ".key"] {
        for file in from.key_files(ending) {
            let name = file.file_name().expect("a file has a name");
            fs::copy(&file, to.keys().join(name)).expect("the key can be copied");
        }
    }
}

/// A server on a database restored from the backup, with the keys of `place`.
struct Restored {
    server: Server,
    _database: FreshDatabase,
}

impl Restored {
    async fn start(file: &Path, place: &Place, statements: &str) -> Self {
        let database = postgres().fresh_database();
        let mut command = Command::new(postgres().program("pg_restore"));
        let options = [
            "--no-owner",
            "--no-privileges",
            "--single-transaction",
            "--dbname",
        ];
        run(command.args(options).arg(database.url()).arg(file)).await;
        let (client, connection) = tokio_postgres::connect(database.url(), NoTls)
            .await
            .expect("the database accepts connections");
        let connection = tokio::spawn(connection);
        client
            .batch_execute(statements)
            .await
            .expect("the statements succeed");
        drop(client);
        connection
            .await
            .expect("the task does not panic")
            .expect("the connection ends without an error");
        let target = Place::new()
            .with("DATABASE__URL", database.url())
            .with("KEYS__GENERATE_MISSING", "false");
        copy_keys(place, &target);
        let server = target.start();
        Self {
            server,
            _database: database,
        }
    }
}

/// The changes after the backup, and a session that was not changed.
struct Since {
    logged_out: Pair,
    refreshed: Pair,
    untouched: Pair,
}

/// Starts a server with users, backs its database up while logins continue, and makes the changes.
async fn backed_up(file: &Path) -> (Server, Since) {
    let server = Server::start();
    let client = server.client();
    let logged_out = client.user("alice").await;
    let outdated = client.user("bob").await;
    let untouched = client.user("carol").await;
    let burst = LoginLoad::start(&client).await;

    burst.wait_for(LOGINS).await;
    let url = server.place().database().url();
    tokio::join!(back_up(&url, file), burst.wait_for(LOGINS));
    burst.stop().await;

    assert_eq!(client.log_out(&logged_out.access).await.status, 204);
    let refreshed = client.refresh(&outdated.refresh).await.pair();
    client.user("late").await;
    let since = Since {
        logged_out,
        refreshed,
        untouched,
    };
    (server, since)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_users_log_in_is_complete_and_its_sessions_can_be_ended() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let file = folder.path().join("backup.dump");
    let (server, since) = backed_up(&file).await;

    let restored = Restored::start(&file, server.place(), END_ALL_SESSIONS).await;

    let client = restored.server.client();
    let ended = ("token_revoked".into(), "session_revoked".into());
    for pair in [&since.logged_out, &since.refreshed, &since.untouched] {
        assert_eq!(client.token_codes(pair).await, ended);
    }
    for number in 0..USERS {
        client.session(&format!("burst-{number}")).await;
    }
    let alice = client.session("alice").await;
    assert_eq!(
        client.token_codes(&alice).await,
        ("accepted".into(), "accepted".into())
    );
    let late = client.logging_in("late", PASSWORD).send().await;
    assert_eq!(late.code(), "invalid_credentials", "registered after the backup");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restored_backup_makes_old_sessions_valid_unless_they_are_ended() {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let file = folder.path().join("backup.dump");
    let (server, since) = backed_up(&file).await;

    let restored = Restored::start(&file, server.place(), "").await;

    let client = restored.server.client();
    let accepted = ("accepted".into(), "accepted".into());
    assert_eq!(client.token_codes(&since.logged_out).await, accepted);
    assert_eq!(client.token_codes(&since.untouched).await, accepted);
    let reused = ("accepted".into(), "refresh_token_reused".into());
    assert_eq!(client.token_codes(&since.refreshed).await, reused);
    assert_eq!(client.me_code(&since.refreshed.access).await, "token_revoked");
}
