use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use std::time::Duration;

const SIZE: &str = "authapi_db_pool_size";
const IN_USE: &str = "authapi_db_pool_in_use";
const WAIT: &str = "authapi_db_pool_wait_seconds";
const TIMEOUTS: &str = "authapi_db_pool_timeouts_total";

/// The metrics of some connections. Clones share them.
#[derive(Clone)]
pub struct PoolMetrics {
    /// The number of connections in use.
    pub in_use: Gauge,
    /// The time until work got a connection, or until it gave up.
    pub wait: Histogram,
    timeouts: Counter,
}

impl PoolMetrics {
    /// Creates the metrics of `size` connections, labelled `name`.
    pub fn new(name: &'static str, size: usize) -> Self {
        describe_gauge!(SIZE, "Maximum number of connections of a pool.");
        describe_gauge!(IN_USE, "Connections of a pool that are in use.");
        describe_histogram!(WAIT, "Seconds spent waiting for a connection.");
        describe_counter!(TIMEOUTS, "Waits for a connection that timed out.");
        gauge!(SIZE, "pool" => name).set(u32::try_from(size).unwrap_or(u32::MAX));
        Self {
            in_use: gauge!(IN_USE, "pool" => name),
            wait: histogram!(WAIT, "pool" => name),
            timeouts: counter!(TIMEOUTS, "pool" => name),
        }
    }

    /// Records that work got no connection within `waited`.
    pub fn timed_out(&self, waited: Duration) {
        self.wait.record(waited);
        self.timeouts.increment(1);
    }
}
