use crate::error::StorageError;
#[cfg(test)]
use deadpool::Status;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType, Timeouts};
use diesel_async::{AsyncPgConnection, pooled_connection::AsyncDieselConnectionManager};
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use std::{error::Error as StdError, time::Duration};
use tokio::time::{Instant, timeout, timeout_at};

const SIZE: &str = "authapi_db_pool_size";
const IN_USE: &str = "authapi_db_pool_in_use";
const WAIT: &str = "authapi_db_pool_wait_seconds";
const TIMEOUTS: &str = "authapi_db_pool_timeouts_total";

/// The extra time to open a connection after its caller has given up. A connection that is being
/// opened occupies a slot in the pool, so a network that loses packets must not keep it for long.
const LATE: Duration = Duration::from_secs(1);
/// The time before the deadline at which the wait for a free connection ends. It makes the pool
/// report [`TimeoutType::Wait`] before the deadline passes, so that a full pool and a slow server
/// cause different errors.
const EARLIER: Duration = Duration::from_millis(5);

/// Opens connections and checks them.
pub type Manager = AsyncDieselConnectionManager<AsyncPgConnection>;

/// A connection pool that records metrics. Clones share the pool and its metrics.
#[derive(Clone)]
pub struct MeteredPool {
    connections: Pool<Manager>,
    in_use: Gauge,
    wait: Histogram,
    timeouts: Counter,
}

/// A connection in use. Dropping it returns it to the pool.
pub struct Lent {
    pub connection: Object<Manager>,
    #[expect(dead_code, reason = "counts the connection as in use until it is dropped")]
    in_use: InUse,
}

/// Counts one connection in use. Separate from [`Lent`], because the connection cannot be moved out
/// of a type that implements `Drop`.
struct InUse(Gauge);

impl MeteredPool {
    /// Creates a pool over `connections`, with metrics labelled `name`.
    pub fn new(name: &'static str, connections: Pool<Manager>) -> Self {
        describe();
        let size = u32::try_from(connections.status().max_size).unwrap_or(u32::MAX);
        gauge!(SIZE, "pool" => name).set(size);
        Self {
            connections,
            in_use: gauge!(IN_USE, "pool" => name),
            wait: histogram!(WAIT, "pool" => name),
            timeouts: counter!(TIMEOUTS, "pool" => name),
        }
    }

    /// Returns a connection. Opens one if none is idle, or waits for one if the pool is full.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if none becomes free in time; [`StorageError::Statement`] if none can
    /// be opened before `deadline`.
    pub async fn get(&self, deadline: Instant) -> Result<Lent, StorageError> {
        let asked = Instant::now();
        let connections = self.connections.clone();
        let until_late = deadline.saturating_duration_since(asked).saturating_sub(EARLIER);
        let usual = connections.timeouts();
        let timeouts = Timeouts {
            wait: Some(usual.wait.map_or(until_late, |wait| wait.min(until_late))),
            ..usual
        };
        let mut getting = Box::pin(async move { connections.timeout_get(&timeouts).await });
        let answer = timeout_at(deadline, &mut getting).await;
        if answer.is_err() {
            // Keep opening the connection, so that the next caller can use it. Otherwise no
            // connection to a slow server would ever be opened.
            tokio::spawn(timeout(LATE, getting));
        }
        self.wait.record(asked.elapsed());
        if matches!(answer, Err(_) | Ok(Err(PoolError::Timeout(_)))) {
            self.timeouts.increment(1);
        }
        let connection = answer
            .map_err(|_late| StorageError::Statement("the server is slow to accept a connection".into()))?
            .map_err(unpooled)?;
        self.in_use.increment(1);
        Ok(Lent {
            connection,
            in_use: InUse(self.in_use.clone()),
        })
    }

    /// Closes idle connections.
    pub fn close_idle(&self) {
        self.connections.retain(|_, _| false);
    }

    #[cfg(test)]
    pub fn status(&self) -> Status {
        self.connections.status()
    }
}

impl Lent {
    /// Closes the connection instead of returning it to the pool.
    pub fn close(self) {
        drop(Object::take(self.connection));
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.0.decrement(1);
    }
}

fn unpooled<E: StdError + Send + Sync + 'static>(error: PoolError<E>) -> StorageError {
    match error {
        PoolError::Timeout(TimeoutType::Wait) => StorageError::Busy,
        other => StorageError::Statement(other.into()),
    }
}

fn describe() {
    describe_gauge!(SIZE, "Maximum number of connections of a pool.");
    describe_gauge!(IN_USE, "Connections of a pool that are in use.");
    describe_histogram!(WAIT, "Seconds spent waiting for a connection.");
    describe_counter!(TIMEOUTS, "Waits for a connection that timed out.");
}
