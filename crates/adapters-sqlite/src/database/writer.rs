//! The thread that writes: it commits the operations that queue for it in groups.

mod committer;
mod connection;
mod operation;
mod queue;
#[cfg(test)]
mod tests;

use super::{ACQUIRE_TIMEOUT, connections::BUSY_TIMEOUT, pool_metrics::PoolMetrics};
use crate::error::StorageError;
use committer::Committer;
use connection::WritingConnection;
use diesel::SqliteConnection;
use operation::Pending;
use queue::{Queue, Queued};
use request_scope::Wait;
use std::{
    io,
    sync::Arc,
    thread::{Builder, JoinHandle},
    time::{Duration, Instant},
};
use tokio::{sync::oneshot, time::timeout};

/// Whether an operation may share its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Commit {
    /// With operations that are queued at the same time.
    InGroup,
    /// With no other: it may take long, and the others would wait for its end.
    Alone,
}

/// Bounds how long operations wait for each other.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Maximum number of operations in a group.
    pub operations: usize,
    /// The time after which no further operation joins a group.
    pub time: Duration,
    /// Maximum time that an operation is queued.
    pub wait: Duration,
}

impl Limits {
    /// The limits of the product. The pages that so many operations change fit into the page cache
    /// of SQLite, 2 MB by default, and the first of them waits about as long as for a slow disk.
    pub const STANDARD: Self = Self {
        operations: 64,
        time: Duration::from_millis(5),
        wait: ACQUIRE_TIMEOUT,
    };
}

/// Executes operations in the order in which they were queued. Dropping it waits for the operation
/// that runs, and closes the connection.
pub struct Writer {
    queue: Arc<Queue>,
    metrics: PoolMetrics,
    limits: Limits,
    _thread: Joined,
}

impl Writer {
    /// Starts a thread that writes to the database at `url`. It connects when it is first used.
    pub fn start(url: String, limits: Limits) -> io::Result<Self> {
        let metrics = PoolMetrics::new("writer", 1);
        let queue = Arc::new(Queue::new(metrics.clone()));
        let connection = WritingConnection::new(url, &metrics);
        let committer = Committer::new(Arc::clone(&queue), connection, limits);
        let thread = Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || committer.run())?;
        Ok(Self {
            queue,
            metrics,
            limits,
            _thread: Joined(Some(thread)),
        })
    }

    /// Executes `work` in a transaction, and returns its result after the commit. All of it is
    /// committed or, if it fails, none.
    ///
    /// If a transaction fails that `work` shared, it is executed again. It MUST NOT change anything
    /// but the database, and MUST return every error of a statement, which may have ended the
    /// transaction.
    ///
    /// If the caller stops waiting, work that has started is completed, and other work is not
    /// started.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if `work` could not start in time, or could not be executed again in
    /// time after a transaction failed that it shared. It has then changed nothing.
    pub async fn write<R, W>(&self, commit: Commit, work: W) -> Result<R, StorageError>
    where
        R: Send + 'static,
        W: Fn(&mut SqliteConnection) -> Result<R, StorageError> + Send + 'static,
    {
        let wait = Wait::begin(self.limits.wait + BUSY_TIMEOUT).ok_or(StorageError::Busy)?;
        let asked = Instant::now();
        let (caller, mut answer) = oneshot::channel();
        let place = self.queue.add(Queued {
            operation: Box::new(Pending::new(work, caller)),
            commit,
            asked,
            deadline: wait.deadline().into_std(),
        });
        let answered = match timeout(self.limits.wait.min(wait.limit()), &mut answer).await {
            Ok(answered) => answered,
            Err(_late) if place.withdraw() => {
                self.metrics.timed_out(asked.elapsed());
                return Err(StorageError::Busy);
            }
            // It has started, and cannot be interrupted.
            Err(_late) => answer.await,
        };
        answered.map_err(|stopped| StorageError::Statement(stopped.into()))?
    }
}

impl Drop for Writer {
    /// Ends the thread, which is joined when the fields are dropped.
    fn drop(&mut self) {
        self.queue.close();
    }
}

/// A thread that is joined when this is dropped.
struct Joined(Option<JoinHandle<()>>);

impl Drop for Joined {
    fn drop(&mut self) {
        // A thread that panicked has ended as well, and the panic has been printed.
        let _ = self.0.take().map(JoinHandle::join);
    }
}
