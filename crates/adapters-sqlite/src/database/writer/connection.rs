use super::Commit;
use crate::{
    database::{
        connections::{BUSY_TIMEOUT, PRAGMAS, open, transaction, wait_at_most},
        pool_metrics::PoolMetrics,
    },
    error::StorageError,
};
use diesel::{
    SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
};
use metrics::{Counter, Gauge, counter, describe_counter};
use std::time::{Duration, Instant};

const COMMITS: &str = "authapi_db_commits_total";

/// Keeps in memory the pages that a savepoint copies before they are changed. A read-only container
/// may have no folder for temporary files.
const COPY_TO_MEMORY: &str = "PRAGMA temp_store = MEMORY;";
/// Copies them to a file. An import changes any number of pages, and a migration sorts any number
/// of rows.
const COPY_TO_FILE: &str = "PRAGMA temp_store = FILE;";

/// The connection that writes. It is opened when it is needed, and closed if a failure leaves it in
/// an unknown state.
pub struct WritingConnection {
    url: String,
    open: Option<SqliteConnection>,
    /// How long the connection waits for other processes, as it is set now.
    busy_timeout: Duration,
    /// For which work it is set up now.
    commit: Commit,
    in_use: Gauge,
    commits: Counter,
}

impl WritingConnection {
    /// Creates a connection to the database at `url`.
    pub fn new(url: String, metrics: &PoolMetrics) -> Self {
        describe_counter!(COMMITS, "Transactions that were committed.");
        Self {
            url,
            open: None,
            busy_timeout: BUSY_TIMEOUT,
            commit: Commit::Alone,
            in_use: metrics.in_use.clone(),
            commits: counter!(COMMITS, "pool" => "writer"),
        }
    }

    /// Does `work`, which is of the kind `commit`, as one transaction. Waits for another process
    /// that writes until `deadline` at most.
    pub fn transaction(
        &mut self,
        commit: Commit,
        deadline: Instant,
        work: impl FnOnce(&mut SqliteConnection) -> Result<(), StorageError>,
    ) -> Result<(), StorageError> {
        self.in_use.set(1);
        let done = self
            .opened(commit, deadline)
            .and_then(|conn| transaction(conn, work));
        drop(
            self.open
                .take_if(AnsiTransactionManager::is_broken_transaction_manager),
        );
        self.in_use.set(0);
        if done.is_ok() {
            self.commits.increment(1);
        }
        done
    }

    fn opened(&mut self, commit: Commit, deadline: Instant) -> Result<&mut SqliteConnection, StorageError> {
        let conn = if let Some(conn) = self.open.take() {
            conn
        } else {
            (self.busy_timeout, self.commit) = (BUSY_TIMEOUT, Commit::Alone);
            open(&self.url, PRAGMAS)?
        };
        let conn = self.open.insert(conn);
        let longest = BUSY_TIMEOUT.min(deadline.saturating_duration_since(Instant::now()));
        if longest != self.busy_timeout {
            wait_at_most(conn, longest)?;
            self.busy_timeout = longest;
        }
        if commit != self.commit {
            conn.batch_execute(match commit {
                Commit::InGroup => COPY_TO_MEMORY,
                Commit::Alone => COPY_TO_FILE,
            })?;
            self.commit = commit;
        }
        Ok(conn)
    }
}
