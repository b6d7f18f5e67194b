//! Connections to the file, and the transactions that write.

use crate::error::StorageError;
use diesel::{
    Connection, ConnectionError, ConnectionResult, QueryResult, SqliteConnection,
    connection::SimpleConnection, result::Error as DieselError,
};
use diesel_async::{
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod,
        deadpool::{BuildError, Pool},
    },
    sync_connection_wrapper::SyncConnectionWrapper,
};
use std::time::Duration;
use tokio::{runtime::Handle, task::JoinError};

/// How long SQLite waits for another process that writes. Together with the longest wait for a
/// connection, this is less than a second.
pub const BUSY_TIMEOUT: Duration = Duration::from_millis(400);

/// Sets up a connection. With a WAL, only FULL makes a commit survive a loss of power.
pub const PRAGMAS: &str = "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;";

/// A pool of connections to one file.
pub type SqlitePool = Pool<SyncConnectionWrapper<SqliteConnection>>;

/// Returns a pool of `size` connections, each set up with `pragmas`. They work on the threads of
/// the current runtime, whichever runtime uses them.
pub fn pool(url: &str, size: usize, pragmas: String) -> Result<SqlitePool, BuildError> {
    let runtime = Handle::current();
    let mut config = ManagerConfig::default();
    // A file does not disconnect, so there is nothing to check before each use.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| {
        let (url, pragmas, runtime) = (url.to_owned(), pragmas.clone(), runtime.clone());
        Box::pin(async move {
            let connecting =
                runtime.spawn_blocking(move || connect(&url, &pragmas).map(SyncConnectionWrapper::new));
            connecting.await.unwrap_or_else(|error| Err(unfinished(&error)))
        })
    });
    let manager = AsyncDieselConnectionManager::new_with_config(url, config);
    Pool::builder(manager).max_size(size).build()
}

fn unfinished(error: &JoinError) -> ConnectionError {
    ConnectionError::BadConnection(error.to_string())
}

/// Opens a connection and sets it up with `pragmas`.
pub fn connect(url: &str, pragmas: &str) -> ConnectionResult<SqliteConnection> {
    let mut conn = SqliteConnection::establish(url)?;
    // Set the timeout first: the other pragmas may have to wait for another process.
    wait_at_most(&mut conn, BUSY_TIMEOUT)
        .and_then(|()| conn.batch_execute(pragmas))
        .map_err(ConnectionError::CouldntSetupConfiguration)?;
    Ok(conn)
}

/// Opens a connection as [`connect`] does, for a caller that reports errors of storage.
pub fn open(url: &str, pragmas: &str) -> Result<SqliteConnection, StorageError> {
    connect(url, pragmas).map_err(|error| match error {
        ConnectionError::CouldntSetupConfiguration(error) => error.into(),
        other => StorageError::Statement(other.into()),
    })
}

/// Sets how long a statement waits for another process that writes.
pub fn wait_at_most(conn: &mut SqliteConnection, longest: Duration) -> QueryResult<()> {
    conn.batch_execute(&format!("PRAGMA busy_timeout = {};", longest.as_millis()))
}

/// Does `work` as one immediate transaction. SQLite rejects the first write of a transaction that
/// began with a read if another process has written since, regardless of the timeout.
pub fn transaction<R>(
    conn: &mut SqliteConnection,
    work: impl FnOnce(&mut SqliteConnection) -> Result<R, StorageError>,
) -> Result<R, StorageError> {
    let mut cause = None;
    let done = conn.immediate_transaction(|conn| {
        work(conn).map_err(|error| {
            cause = Some(error);
            DieselError::RollbackTransaction
        })
    });
    // If the disk is full, SQLite rolls back automatically. diesel then reports the failure of its
    // own rollback, not the cause.
    done.map_err(|error| cause.unwrap_or_else(|| error.into()))
}
