//! The database file and its connections: one that writes, a few that read.

mod connections;
mod lock;
mod metered_pool;
mod opening;
mod pool_metrics;
mod writer;

pub use lock::ServerLock;
pub use opening::OpenError;

use crate::{
    error::StorageError,
    migrations::{self, MigrationStatus},
    tables::{audit_keys, replica_leases},
};
use connections::{BUSY_TIMEOUT, PRAGMAS, pool, wait_at_most};
use diesel::{Connection, SqliteConnection};
use domain::{audit::KeyTrace, ports::PortError};
use metered_pool::MeteredPool;
use opening::{prepare, url_of};
use request_scope::Wait;
use std::{error::Error as StdError, io, path::Path, sync::Arc, time::Duration};
use tokio::runtime::Handle;
use writer::{Commit, Limits, Writer};

/// The number of connections that read. Few are enough, because reading some rows by key takes
/// microseconds.
const READERS: usize = 4;
/// How long to wait for a connection, or for the writer.
const ACQUIRE_TIMEOUT: Duration = Duration::from_millis(500);
/// Makes a connection reject writes.
const READ_ONLY: &str = "PRAGMA query_only = ON;";

/// An open database file. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct SqliteDatabase {
    path: Arc<Path>,
    /// SQLite allows one writer at a time. With a single one, changes queue here in order, instead
    /// of sleeping and retrying in SQLite.
    writer: Arc<Writer>,
    readers: MeteredPool,
    /// The lock of a server. All clones hold it: no other server starts while a part of the process
    /// can use the database, or answer from memory under a lease in it.
    _lock: Option<Arc<ServerLock>>,
}

impl SqliteDatabase {
    /// Opens the database at `path`. Creates missing folders and a missing file, readable by this
    /// user alone. Does not change the schema: see [`SqliteDatabase::migrate_up`].
    ///
    /// MUST be called inside a tokio runtime that lives as long as the database is used: its
    /// threads read.
    ///
    /// # Errors
    /// [`OpenError`] if the file cannot be read and written, is not an authapi database or is newer
    /// than this program.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        let failed = |source: Box<dyn StdError + Send + Sync>| OpenError::Failed {
            path: path.to_owned(),
            source,
        };
        let url = url_of(path).map_err(|error| failed(error.into()))?;
        let (file, checked) = (path.to_owned(), url.clone());
        Handle::current()
            .spawn_blocking(move || prepare(&file, &checked))
            .await
            .map_err(|error| failed(error.into()))??;
        let readers = pool(&url, READERS, format!("{PRAGMAS} {READ_ONLY}"));
        let readers = readers.map_err(|error| failed(error.into()))?;
        let writer = Writer::start(url, Limits::STANDARD).map_err(|error| failed(error.into()))?;
        Ok(Self {
            path: path.into(),
            writer: Arc::new(writer),
            readers: MeteredPool::new("readers", readers),
            _lock: None,
        })
    }

    /// Opens the database for a server, like [`open`](Self::open). While the result or a clone of
    /// it exists, no other server can open the database in this way.
    ///
    /// Removes all leases. They belong to servers that crashed and so could not release them: only
    /// servers hold leases, a server holds the lock for as long as it can answer from memory, and
    /// this process holds it now. It has no lease yet, because that takes the returned database.
    ///
    /// # Errors
    /// [`OpenError::Served`] if another server holds the lock, and the errors of
    /// [`open`](Self::open).
    pub async fn open_as_server(path: &Path) -> Result<Self, OpenError> {
        let lock = ServerLock::take(path)?;
        let database = Self::open(path).await?;
        match database.write(replica_leases::remove_all).await {
            Ok(0) => {}
            Ok(leases) => tracing::info!(leases, "removed the leases of a crashed server"),
            // A server whose disk is full can still answer reads. The leases expire.
            Err(error) => tracing::warn!(
                error = &error as &dyn StdError,
                "the leases of a crashed server were not removed"
            ),
        }
        Ok(Self {
            _lock: Some(Arc::new(lock)),
            ..database
        })
    }

    /// Does `work` on a read-only connection.
    ///
    /// Every statement sees all changes committed before it began. Two statements may see different
    /// states of the database.
    pub(crate) async fn read<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
    {
        Ok(run(&self.readers, work).await?)
    }

    /// Does `work` on a read-only connection, in one transaction that sees a single state.
    pub(crate) async fn read_snapshot<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: FnOnce(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
    {
        Ok(run(&self.readers, |conn| conn.transaction(work)).await?)
    }

    /// Does `work` as one transaction: all of it is committed or, if it fails, none. Other work may
    /// share the commit, but neither its failure nor the order of its changes; see
    /// [`Writer::write`] for what `work` MUST comply with.
    pub(crate) async fn write<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
    {
        Ok(self.writer.write(Commit::InGroup, work).await?)
    }

    /// Does `work`, which may take long, like [`write`](Self::write), but with a commit of its own,
    /// so that no other work waits for its end to be committed.
    pub(crate) async fn write_alone<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
    {
        Ok(self.writer.write(Commit::Alone, work).await?)
    }

    /// Applies every migration that is missing, all of them or none. Returns their names, oldest
    /// first.
    pub async fn migrate_up(&self) -> Result<Vec<String>, PortError> {
        self.write_alone(migrations::up).await
    }

    /// Reverts the newest applied migration, with all data that it holds. Returns its name; `None`
    /// if no migration is applied.
    pub async fn migrate_down(&self) -> Result<Option<String>, PortError> {
        self.write_alone(migrations::down).await
    }

    /// Returns every migration that this program knows, oldest first.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, PortError> {
        self.write_alone(migrations::status).await
    }

    /// Returns which audit key the database was used with. The schema MUST be up to date.
    pub async fn key_trace(&self) -> Result<KeyTrace, PortError> {
        self.read(audit_keys::trace).await
    }

    /// Returns the state of the disk that the file is on.
    pub(crate) async fn disk(&self) -> Result<Disk, PortError> {
        let path = Arc::clone(&self.path);
        let asked = tokio::task::spawn_blocking(move || disk_at(&path)).await;
        let disk = asked.map_err(|error| StorageError::Statement(error.into()))?;
        Ok(disk.map_err(|error| StorageError::Statement(error.into()))?)
    }
}

/// The state of a disk.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Disk {
    /// Number of bytes that this user can still write.
    pub(crate) free: u64,
    /// Whether it is mounted read-only, as Linux does after an error of the device.
    pub(crate) is_read_only: bool,
}

#[cfg(unix)]
fn disk_at(path: &Path) -> io::Result<Disk> {
    let disk = rustix::fs::statvfs(path)?;
    Ok(Disk {
        free: disk.f_bavail.saturating_mul(disk.f_frsize),
        is_read_only: disk.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY),
    })
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "the operating system is not asked, so nothing can fail"
)]
fn disk_at(_: &Path) -> io::Result<Disk> {
    Ok(Disk {
        free: u64::MAX,
        is_read_only: false,
    })
}

/// Does `work` on a connection of `pool` and a thread for blocking work, without interruption.
///
/// The task finishes the work and returns the connection to its pool even if the caller stops
/// waiting. diesel-async would block the caller's thread for that, and panic on a runtime with one
/// thread.
async fn run<R, W>(pool: &MeteredPool, work: W) -> Result<R, StorageError>
where
    R: Send + 'static,
    W: FnOnce(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
{
    let wait = Wait::begin(ACQUIRE_TIMEOUT + BUSY_TIMEOUT).ok_or(StorageError::Busy)?;
    let mut lent = pool.get(ACQUIRE_TIMEOUT.min(wait.limit())).await?;
    let longest = wait.left();
    let work = move |conn: &mut SqliteConnection| Ok(with_wait_limit(conn, longest, work));
    tokio::spawn(async move { lent.connection.spawn_blocking(work).await })
        .await
        .map_err(|error| StorageError::Statement(error.into()))??
}

/// Does `work` so that it waits for other processes no longer than `longest`. The time of the work
/// itself is not limited: it cannot finish sooner.
fn with_wait_limit<R>(
    conn: &mut SqliteConnection,
    longest: Duration,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, StorageError>,
) -> Result<R, StorageError> {
    if longest >= BUSY_TIMEOUT {
        return work(conn);
    }
    wait_at_most(conn, longest)?;
    let answer = work(conn);
    // This sets a number in memory. If it failed, later work would wait less, but this work is
    // done.
    let _ = wait_at_most(conn, BUSY_TIMEOUT);
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteStorage;
    use diesel::{QueryableByName, RunQueryDsl, connection::SimpleConnection, sql_query, sql_types::Integer};
    use domain::{
        audit::AuditFilter,
        changes::{ChangeError, RegisterUser},
        ports::Storage,
        user::{UserFilter, UserPage},
    };
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use request_scope::RequestScope;
    use std::{
        collections::BTreeMap,
        sync::{Arc, mpsc::channel},
    };
    use testkit::{
        ToySealer,
        fixtures::{a_user, at, context},
    };

    async fn limit_pages(database: &SqliteDatabase, pages: u32) {
        let pragma = format!("PRAGMA max_page_count = {pages}");
        let limited = database.write(move |conn| Ok(conn.batch_execute(&pragma)?)).await;
        limited.expect("the limit can be set");
    }

    #[tokio::test]
    async fn a_full_disk_is_unavailable_and_leaves_nothing_half_written() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let database = SqliteDatabase::open(&folder.path().join("db"))
            .await
            .expect("the database can be opened");
        database.migrate_up().await.expect("migrating succeeds");
        let storage = Storage::over(&Arc::new(SqliteStorage::new(&database, Arc::new(ToySealer))));
        limit_pages(&database, 1).await;

        let mut stored = Vec::new();
        let full = loop {
            let user = a_user(&format!("user-{}", stored.len()));
            let command = Arc::new(RegisterUser(user));
            match storage.accounts.execute(command, context(at(0))).await {
                Ok(applied) => stored.push(applied.into_user().expect("the command returns the user").id),
                Err(error) => break error,
            }
        };

        let ChangeError::Port(PortError::Unavailable(source)) = full else {
            panic!("{full:?}");
        };
        assert!(format!("{source:?}").contains("full"), "{source:?}");
        let mut kept = Vec::new();
        let page = UserPage {
            after: None,
            limit: 10_000,
        };
        let users = storage.users.list(UserFilter::default(), page).await;
        for user in users.expect("the users can be listed") {
            let of_user = AuditFilter {
                user: Some(user.id),
                ..AuditFilter::default()
            };
            let events = storage
                .audit_log
                .page(of_user, None, 10)
                .await
                .expect("the page can be read");
            assert_eq!(events.len(), 1);
            kept.push(user.id);
        }
        stored.sort();
        kept.sort();
        assert_eq!(kept, stored);
        limit_pages(&database, 10_000).await;
        let command = Arc::new(RegisterUser(a_user("late")));
        let again = storage.accounts.execute(command, context(at(0))).await;
        assert!(again.is_ok(), "{again:?}");
    }

    /// Returns the metrics of `pool` since the last call: the values of counters and gauges, and
    /// the number of values of histograms.
    fn measured(recorded: &Snapshotter, pool: &str) -> BTreeMap<String, String> {
        let series = recorded.snapshot().into_vec().into_iter();
        series
            .filter(|(key, ..)| key.key().labels().all(|label| label.value() == pool))
            .map(|(key, _, description, value)| {
                assert!(description.is_some(), "{key:?} is not described");
                let value = match value {
                    DebugValue::Counter(count) => count.to_string(),
                    DebugValue::Gauge(value) => value.to_string(),
                    DebugValue::Histogram(values) => values.len().to_string(),
                };
                (key.key().name().to_owned(), value)
            })
            .collect()
    }

    #[tokio::test]
    async fn connections_in_use_and_waits_for_them_are_measured() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        let recording = metrics::set_default_local_recorder(&recorder);
        let database = SqliteDatabase::open(&folder.path().join("db"))
            .await
            .expect("the database can be opened");
        drop(recording);

        let (running, has_started) = channel();
        let (release, released) = channel::<()>();
        let holding = database.write(move |_| {
            running.send(()).expect("the test waits");
            released.recv().expect_err("nothing is sent");
            Ok(())
        });
        let work = async {
            has_started.recv().expect("the operation starts");
            let refused = database.write(|_| Ok(())).await;
            assert!(matches!(refused, Err(PortError::Overloaded)), "{refused:?}");
            let busy = [
                ("authapi_db_commits_total", "0"),
                ("authapi_db_pool_in_use", "1"),
                ("authapi_db_pool_size", "1"),
                ("authapi_db_pool_timeouts_total", "1"),
                ("authapi_db_pool_wait_seconds", "2"),
            ];
            let busy = busy.map(|(name, value)| (name.to_owned(), value.to_owned()));
            assert_eq!(measured(&snapshots, "writer"), BTreeMap::from(busy));
            drop(release);
        };
        let (held, ()) = tokio::join!(holding, work);
        held.expect("an operation that has started is completed");

        database.write(|_| Ok(())).await.expect("the writer is free");
        database.read(|_| Ok(())).await.expect("a connection is free");
        let idle = measured(&snapshots, "writer");
        assert_eq!(idle["authapi_db_pool_in_use"], "0");
        assert_eq!(idle["authapi_db_commits_total"], "2");
    }

    #[derive(QueryableByName)]
    struct BusyTimeout {
        #[diesel(sql_type = Integer)]
        timeout: i32,
    }

    /// Returns SQLite's busy timeout of `conn`, in milliseconds.
    fn busy_timeout(conn: &mut SqliteConnection) -> Result<i32, StorageError> {
        let set: BusyTimeout = sql_query("PRAGMA busy_timeout").get_result(conn)?;
        Ok(set.timeout)
    }

    #[tokio::test]
    async fn a_request_waits_for_another_process_no_longer_than_it_has_time_left() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = folder.path().join("db");
        let database = SqliteDatabase::open(&path)
            .await
            .expect("the database can be opened");
        let url = url_of(&path).expect("the URL is valid");
        let mut other = SqliteConnection::establish(&url).expect("the database accepts connections");
        let work = async {
            let left = database
                .write(busy_timeout)
                .await
                .expect("the statement succeeds");
            assert!((1..=200).contains(&left), "{left}");
            other.batch_execute("BEGIN IMMEDIATE").expect("the lock is free");
            for _ in 0..2 {
                let begun = |_: &mut SqliteConnection| -> Result<(), StorageError> {
                    panic!("the database is locked")
                };
                let refused = database.write(begun).await;
                assert!(matches!(refused, Err(PortError::Overloaded)), "{refused:?}");
            }
            other
                .batch_execute("ROLLBACK")
                .expect("the transaction can be rolled back");
        };
        RequestScope::with_wait_budget(Duration::from_millis(200))
            .run(work)
            .await;
        let usual = database
            .write(busy_timeout)
            .await
            .expect("the statement succeeds");
        assert_eq!(usual, 400);
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let database = SqliteDatabase::open(&folder.path().join("db"))
            .await
            .expect("the database can be opened");
        let written = database
            .read(|conn| Ok(sql_query("CREATE TABLE mine (id INTEGER)").execute(conn)?))
            .await;
        assert!(matches!(written, Err(PortError::Unavailable(_))), "{written:?}");
    }
}
