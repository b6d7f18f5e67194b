use super::{connections::SqlitePool, pool_metrics::PoolMetrics};
use crate::error::StorageError;
use diesel::SqliteConnection;
use diesel_async::{
    pooled_connection::deadpool::{Object, PoolError},
    sync_connection_wrapper::SyncConnectionWrapper,
};
use metrics::Gauge;
use std::time::{Duration, Instant};
use tokio::time::timeout;

/// A connection pool that records metrics. Clones share the pool and its metrics.
#[derive(Clone)]
pub struct MeteredPool {
    connections: SqlitePool,
    metrics: PoolMetrics,
}

/// A connection in use. Dropping it returns it to the pool.
pub struct Lent {
    pub connection: Object<SyncConnectionWrapper<SqliteConnection>>,
    in_use: Gauge,
}

impl MeteredPool {
    /// Creates a pool over `connections`, with metrics labelled `name`.
    pub fn new(name: &'static str, connections: SqlitePool) -> Self {
        let metrics = PoolMetrics::new(name, connections.status().max_size);
        Self { connections, metrics }
    }

    /// Returns a connection, and waits for one if all are in use.
    ///
    /// # Errors
    /// [`StorageError::Busy`] if none becomes free within `longest`.
    pub async fn get(&self, longest: Duration) -> Result<Lent, StorageError> {
        let asked = Instant::now();
        let Ok(answer) = timeout(longest, self.connections.get()).await else {
            self.metrics.timed_out(asked.elapsed());
            return Err(StorageError::Busy);
        };
        self.metrics.wait.record(asked.elapsed());
        let connection = answer.map_err(unpooled)?;
        self.metrics.in_use.increment(1);
        Ok(Lent {
            connection,
            in_use: self.metrics.in_use.clone(),
        })
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.in_use.decrement(1);
    }
}

fn unpooled(error: PoolError) -> StorageError {
    match error {
        PoolError::Timeout(_) => StorageError::Busy,
        other => StorageError::Statement(other.into()),
    }
}
