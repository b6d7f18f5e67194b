//! The server and the pool of connections to it.

use crate::error::StorageError;
use deadpool::{Runtime, managed::Pool};
use diesel::ConnectionError;
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{ManagerConfig, RecyclingMethod},
};
use domain::{
    changes::{ChangeError, Refusal},
    ports::PortError,
};
use request_scope::Wait;
use std::{error::Error as StdError, sync::Arc, time::Duration};
use tokio::{
    runtime::Handle,
    time::{Instant, error::Elapsed, timeout_at},
};

mod connect_error;
mod metered_pool;
mod migrating;
mod notifications;
mod opening;
mod settings;
mod tls;
mod work;

pub use connect_error::ConnectError;
use metered_pool::{Manager, MeteredPool};
pub(crate) use opening::{Server, Unopened};
pub use settings::PoolSettings;
pub(crate) use work::Mode;
use work::Work;

/// A database on a Postgres server. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct PostgresDatabase {
    server: Arc<Server>,
    pool: MeteredPool,
    /// The runtime that owns the connections and runs the work, regardless of the caller's runtime.
    runtime: Handle,
    answer_timeout: Duration,
}

/// The time limit of a piece of work.
#[derive(Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) deadline: Instant,
    /// Whether the limit is so short that exceeding it does not indicate a fault of the server.
    is_short: bool,
}

impl PostgresDatabase {
    /// Connects to the database that `url` names:
    /// `postgres://user:password@host:port/database?parameters`.
    ///
    /// The parameters are those of tokio-postgres, with `sslmode` (`disable`, `prefer`, which is
    /// the default, `require` and `verify-full`, as libpq means them) and `sslrootcert=FILE`, the
    /// PEM file with the authorities that `verify-full` trusts instead of the system's. Of several
    /// hosts, each new connection uses the first that accepts writes, as
    /// `target_session_attrs=read-write` means it; no other value is accepted. Does not change the
    /// schema: see [`PostgresDatabase::migrate_up`].
    ///
    /// MUST be called inside a tokio runtime that lives as long as the database is used: its
    /// threads do the work.
    ///
    /// # Errors
    /// [`ConnectError`] when the URL is wrong, or the database cannot be reached, rejects writes or
    /// is newer than this program.
    pub async fn connect(url: &str, settings: PoolSettings) -> Result<Self, ConnectError> {
        let server = Arc::new(Server::parse(url, &settings)?);
        server.check().await?;
        let pool = Pool::builder(manager(Arc::clone(&server)))
            .max_size(settings.max_size)
            .wait_timeout(Some(settings.acquire_timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|error| server.failed(error))?;
        Ok(Self {
            server,
            pool: MeteredPool::new("postgres", pool),
            runtime: Handle::current(),
            answer_timeout: settings.answer_timeout,
        })
    }

    /// Does `work`, which only reads.
    ///
    /// Each statement sees all changes committed before it began. Two statements may see different
    /// states of the database.
    pub(crate) async fn read<I, R>(&self, input: I, work: Work<I, R>) -> Result<R, PortError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        Ok(self.run(Mode::Read, input, work).await?)
    }

    /// Does `work`, one statement that changes something, in a single round trip.
    pub(crate) async fn write_at_once<I, R>(&self, input: I, work: Work<I, R>) -> Result<R, PortError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        Ok(self.run(Mode::Statement, input, work).await?)
    }

    /// Does `work` as one transaction. An error rolls back all of it.
    pub(crate) async fn write<I, R>(&self, input: I, work: Work<I, R>) -> Result<R, PortError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        Ok(self.run(Mode::Transaction(|_| true), input, work).await?)
    }

    /// Does `work` as one transaction. An error or a refusal rolls back all of it.
    pub(crate) async fn write_unless_refused<I, R>(
        &self,
        input: I,
        work: Work<I, Result<R, Refusal>>,
    ) -> Result<R, ChangeError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        let done = self.run(Mode::Transaction(Result::is_ok), input, work).await;
        Ok(done.map_err(PortError::from)??)
    }

    /// Does `work` as one transaction that is always rolled back.
    pub(crate) async fn dry_run<I, R>(
        &self,
        input: I,
        work: Work<I, Result<R, Refusal>>,
    ) -> Result<R, ChangeError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        let done = self.run(Mode::Transaction(|_| false), input, work).await;
        Ok(done.map_err(PortError::from)??)
    }

    /// Does `work` on a separate new connection, without a time limit.
    pub(crate) async fn apart<R, W, F>(&self, work: W) -> Result<R, StorageError>
    where
        R: Send + 'static,
        W: FnOnce(AsyncPgConnection) -> F + Send + 'static,
        F: Future<Output = Result<R, StorageError>> + Send + 'static,
    {
        let server = Arc::clone(&self.server);
        let task = self.runtime.spawn(async move {
            let conn = server
                .connect()
                .await
                .map_err(|error| StorageError::Statement(error.into()))?;
            work(conn).await
        });
        task.await
            .map_err(|error| StorageError::Statement(error.into()))?
    }

    /// Starts a wait for the database, limited to the time that a port's method may take. The wait
    /// counts against the wait budget of its request.
    pub(crate) fn begin_wait(&self) -> Result<(Wait, Limit), StorageError> {
        let wait = Wait::begin(self.answer_timeout).ok_or(StorageError::Busy)?;
        let limit = Limit {
            deadline: wait.deadline(),
            is_short: wait.limit() < self.answer_timeout / 2,
        };
        Ok((wait, limit))
    }

    /// Returns how connections are opened.
    pub(crate) fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server)
    }

    /// Returns the runtime that work runs on.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// Does `work` in a task that continues if the caller gives up: an abandoned statement would
    /// leave its connection in the middle of a transaction.
    pub(crate) async fn run<I, R>(&self, mode: Mode<R>, input: I, work: Work<I, R>) -> Result<R, StorageError>
    where
        I: Send + Sync + 'static,
        R: Send + 'static,
    {
        // Start the wait here: the request's scope does not reach the task.
        let (_wait, limit) = self.begin_wait()?;
        let database = self.clone();
        let task = self.runtime.spawn(async move {
            match database.attempt(&mode, &input, work, limit).await {
                Err(error) if error.is_retryable() => database.attempt(&mode, &input, work, limit).await,
                answer => answer,
            }
        });
        task.await
            .map_err(|error| StorageError::Statement(error.into()))?
    }

    async fn attempt<I, R>(
        &self,
        mode: &Mode<R>,
        input: &I,
        work: Work<I, R>,
        limit: Limit,
    ) -> Result<R, StorageError> {
        let mut lent = self.pool.get(limit.deadline).await?;
        match timeout_at(limit.deadline, mode.apply(&mut lent.connection, input, work)).await {
            Ok(Err(error)) if !error.leaves_connection_usable() => {
                lent.close();
                if error.is_read_only() {
                    // Idle connections probably lead to the same server.
                    self.pool.close_idle();
                }
                Err(error)
            }
            Ok(answer) => answer,
            Err(late) => {
                // The connection is closed during its work. The server rolls back a transaction
                // when it detects this. A single statement may be committed before.
                lent.close();
                if !limit.is_short {
                    // Idle connections to the same server would make another caller wait as long.
                    self.pool.close_idle();
                }
                Err(limit.passed(late))
            }
        }
    }
}

impl Limit {
    /// Returns the error for work that exceeded this limit.
    pub(crate) fn passed(self, late: Elapsed) -> StorageError {
        if self.is_short {
            StorageError::Busy
        } else {
            StorageError::Statement(late.into())
        }
    }
}

fn manager(server: Arc<Server>) -> Manager {
    let mut config = ManagerConfig::default();
    // A closed connection is recognised without a round trip.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |_| {
        let server = Arc::clone(&server);
        Box::pin(async move { server.connect().await.map_err(unopened) })
    });
    // `custom_setup` opens the connections, so this URL is not used.
    Manager::new_with_config(String::new(), config)
}

/// Converts `error` to diesel's error, which is a text and therefore has to contain the causes.
fn unopened(error: impl StdError) -> ConnectionError {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    ConnectionError::BadConnection(message)
}

#[cfg(test)]
mod tests {
    use super::{work::WorkFuture, *};
    use crate::tables::{replica_leases, snapshots};
    use diesel::sql_query;
    use diesel_async::{AsyncConnection, RunQueryDsl, SimpleAsyncConnection};
    use domain::session::SessionId;
    use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
    use request_scope::RequestScope;
    use std::collections::BTreeMap;
    use testkit::fixtures::unique_uuid;
    use testservers::{FreshDatabase, Postgres, postgres};

    /// Opens a database with two idle connections.
    async fn open() -> (PostgresDatabase, FreshDatabase) {
        let fresh = postgres().fresh_database();
        let settings = PoolSettings {
            max_size: 2,
            ..PoolSettings::default()
        };
        let database = PostgresDatabase::connect(fresh.url(), settings).await;
        let database = database.expect("the database can be opened");
        let soon = Instant::now() + settings.answer_timeout;
        let both = (database.pool.get(soon).await, database.pool.get(soon).await);
        drop((
            both.0.expect("a connection is free"),
            both.1.expect("a connection is free"),
        ));
        assert_eq!(database.pool.status().available, 2);
        (database, fresh)
    }

    fn execute<'c>(conn: &'c mut AsyncPgConnection, sql: &'c &'static str) -> WorkFuture<'c, ()> {
        Box::pin(async move {
            sql_query(*sql).execute(conn).await?;
            Ok(())
        })
    }

    /// Returns the metrics of the pool since the last call: the values of counters and gauges, and
    /// the number of values of histograms.
    fn measured(recorded: &Snapshotter) -> BTreeMap<String, String> {
        let series = recorded.snapshot().into_vec().into_iter();
        series
            .map(|(key, _, description, value)| {
                assert!(description.is_some(), "{key:?} is not described");
                assert!(key.key().labels().all(|label| label.value() == "postgres"));
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
        let recorder = DebuggingRecorder::new();
        let snapshots = recorder.snapshotter();
        let recording = metrics::set_default_local_recorder(&recorder);
        let (database, _fresh) = open().await;
        drop(recording);

        let soon = Instant::now() + database.answer_timeout;
        let both = [database.pool.get(soon).await, database.pool.get(soon).await];
        let [one, other] = both.map(|lent| lent.expect("a connection is free"));
        let refused = database.read("SELECT 1", execute).await;
        assert!(matches!(refused, Err(PortError::Overloaded)), "{refused:?}");
        let busy = [
            ("authapi_db_pool_in_use", "2"),
            ("authapi_db_pool_size", "2"),
            ("authapi_db_pool_timeouts_total", "1"),
            ("authapi_db_pool_wait_seconds", "5"),
        ];
        let busy = busy.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(measured(&snapshots), BTreeMap::from(busy));

        drop(one);
        other.close();
        for statement in ["SELECT 1", "SELECT pg_sleep(60)", "SELECT 1/0"] {
            let _ = database.read(statement, execute).await;
        }
        // The first call of `measured` has reset the gauges.
        assert_eq!(measured(&snapshots)["authapi_db_pool_in_use"], "-2");
    }

    #[tokio::test]
    async fn a_connection_that_timed_out_and_idle_ones_are_closed() {
        let (database, _fresh) = open().await;
        let late = database.read("SELECT pg_sleep(60)", execute).await;
        assert!(matches!(late, Err(PortError::Unavailable(_))), "{late:?}");
        assert_eq!(database.pool.status().size, 0);
        database
            .read("SELECT 1", execute)
            .await
            .expect("the statement succeeds");
    }

    #[tokio::test]
    async fn a_request_past_its_wait_budget_is_refused_and_its_transaction_is_rolled_back() {
        let (database, fresh) = open().await;
        let make = "CREATE TABLE begun (i integer)";
        let work = async {
            let slow = database.read("SELECT pg_sleep(0.2)", execute).await;
            slow.expect("the statement ends in time");
            let late = database.write(make, |conn, sql| {
                Box::pin(async move {
                    execute(conn, sql).await?;
                    execute(conn, &"SELECT pg_sleep(60)").await
                })
            });
            let late = late.await;
            assert!(matches!(late, Err(PortError::Overloaded)), "{late:?}");
            let not_asked = database.write_at_once(make, execute).await;
            assert!(matches!(not_asked, Err(PortError::Overloaded)), "{not_asked:?}");
        };
        RequestScope::with_wait_budget(Duration::from_millis(400))
            .run(work)
            .await;
        // The timeout of one connection does not close the other.
        assert_eq!(database.pool.status().size, 1);
        let nothing = "SELECT 1 / (to_regclass('begun') IS NULL)::integer";
        database
            .read(nothing, execute)
            .await
            .expect("the table does not exist");
        drop(fresh);
    }

    #[tokio::test]
    async fn a_request_with_little_time_left_is_overloaded_if_no_connection_is_free() {
        let (database, _fresh) = open().await;
        let soon = Instant::now() + database.answer_timeout;
        let _both = (database.pool.get(soon).await, database.pool.get(soon).await);
        let work = database.read("SELECT 1", execute);
        let request = RequestScope::with_wait_budget(Duration::from_millis(50));
        let refused = request.run(work).await;
        assert!(matches!(refused, Err(PortError::Overloaded)), "{refused:?}");
    }

    #[tokio::test]
    async fn a_connection_that_failed_is_not_used_again() {
        let (database, _fresh) = open().await;
        let failed = database.write_at_once("SELECT 1/0", execute).await;
        assert!(matches!(failed, Err(PortError::Unavailable(_))), "{failed:?}");
        assert_eq!(database.pool.status().size, 1);
    }

    #[tokio::test]
    async fn after_an_error_of_a_server_that_accepts_no_changes_every_idle_connection_is_closed() {
        let (database, _fresh) = open().await;
        let failed = database.read("BEGIN READ ONLY; CREATE TABLE t (i integer)", |conn, sql| {
            Box::pin(async move { Ok(conn.batch_execute(sql).await?) })
        });
        let failed = failed.await;
        assert!(matches!(failed, Err(PortError::Unavailable(_))), "{failed:?}");
        assert_eq!(database.pool.status().size, 0);
    }

    #[tokio::test]
    async fn neither_sessions_nor_leases_are_read_from_a_standby() {
        let primary = Postgres::start_own();
        let database = PostgresDatabase::connect(primary.url(), PoolSettings::default()).await;
        let database = database.expect("the database can be opened");
        database.migrate_up().await.expect("migrating succeeds");
        let standby = primary.start_standby();
        // A pooler may lead a connection that was opened to the primary to the standby later.
        let conn = AsyncPgConnection::establish(standby.url()).await;
        let mut conn = conn.expect("the standby accepts connections");

        let sessions = snapshots::find_several(&mut conn, &[SessionId(unique_uuid())]).await;
        assert!(matches!(sessions, Err(StorageError::ReadOnly(_))));
        let holders = replica_leases::holders(&mut conn).await;
        assert!(matches!(holders, Err(StorageError::ReadOnly(_))));
    }

    #[tokio::test]
    async fn a_transaction_that_fails_keeps_nothing_and_its_connection_is_good_again() {
        let (database, fresh) = open().await;
        let mut conn = database
            .server
            .connect()
            .await
            .expect("the database accepts connections");
        conn.batch_execute("CREATE TABLE t (i integer)")
            .await
            .expect("the table can be created");
        drop(conn);
        let failed = database
            .write("INSERT INTO t VALUES (1)", |conn, sql| {
                Box::pin(async move {
                    execute(conn, sql).await?;
                    Err::<(), _>(StorageError::Busy)
                })
            })
            .await;
        assert!(matches!(failed, Err(PortError::Overloaded)), "{failed:?}");
        assert_eq!(database.pool.status().available, 2);
        let empty = "SELECT 1 / (SELECT (count(*) = 0)::integer FROM t)";
        for _ in 0..2 {
            database.read(empty, execute).await.expect("the table is empty");
        }
        drop(fresh);
    }

    #[tokio::test]
    async fn every_connection_keeps_the_limits_whatever_the_url_says() {
        let fresh = postgres().fresh_database();
        let mark = if fresh.url().contains('?') { '&' } else { '?' };
        let own = "options=-c%20statement_timeout%3D0%20-c%20default_transaction_isolation%3Dserializable";
        let url = format!("{}{mark}{own}", fresh.url());
        let database = PostgresDatabase::connect(&url, PoolSettings::default()).await;
        let told = "SELECT 1 / (current_setting('statement_timeout') = '2s'
            AND current_setting('lock_timeout') = '400ms'
            AND current_setting('idle_in_transaction_session_timeout') = '2s'
            AND current_setting('transaction_isolation') = 'read committed'
            AND current_setting('application_name') = 'authapi')::integer";
        let database = database.expect("the database can be opened");
        database
            .read(told, execute)
            .await
            .expect("the connection has the limits");
    }
}
