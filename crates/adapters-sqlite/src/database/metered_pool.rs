use super::connections::SqlitePool;
use crate::error::StorageError;
use diesel::SqliteConnection;
use diesel_async::{
    pooled_connection::deadpool::{Object, PoolError},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use std::time::{Duration, Instant};
use tokio::time::timeout;

const SIZE: &str = "authapi_db_pool_size";
const IN_USE: &str = "authapi_db_pool_in_use";
const WAIT: &str = "authapi_db_pool_wait_seconds";
const TIMEOUTS: &str = "authapi_db_pool_timeouts_total";

/// A connection pool that records metrics. Clones share the pool and its metrics.
#[derive(Clone)]
pub struct MeteredPool {
    connections: SqlitePool,
    in_use: Gauge,
    wait: Histogram,
    timeouts: Counter,
}

/// A connection in use. Dropping it returns it to the pool.
pub struct Lent {
    pub connection: Object<SyncConnectionWrapper<SqliteConnection>>,
    in_use: Gauge,
}

impl MeteredPool {
    /// Creates a pool over `connections`, with metrics labelled `name`.
    pub fn new(name: &'static str, connections: SqlitePool) -> Self {
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

    /// Returns a connection, and waits for one if all are in use.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if none becomes free within `longest`.
    pub async fn get(&self, longest: Duration) -> Result<Lent, StorageError> {
        let asked = Instant::now();
        let answer = timeout(longest, self.connections.get()).await;
        self.wait.record(asked.elapsed());
        let connection = match answer {
            Ok(answer) => answer.map_err(unpooled)?,
            Err(_late) => {
                self.timeouts.increment(1);
                return Err(StorageError::Busy);
            }
        };
        self.in_use.increment(1);
        Ok(Lent {
            connection,
            in_use: self.in_use.clone(),
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.in_use.decrement(1);
    }
}

fn describe() {
    describe_gauge!(SIZE, "Maximum number of connections of a pool.");
    describe_gauge!(IN_USE, "Connections of a pool that are in use.");
    describe_histogram!(WAIT, "Seconds spent waiting for a connection.");
    describe_counter!(TIMEOUTS, "Waits for a connection that timed out.");
}

fn unpooled(error: PoolError) -> StorageError {
    match error {
        PoolError::Timeout(_) => StorageError::Busy,
        other => StorageError::Statement(other.into()),
    }
}
