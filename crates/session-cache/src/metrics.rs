//! The crate's metrics. Each function is named after the metric that it updates;
//! `docs/monitoring.md` lists them.

use ::metrics::{Counter, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

const SESSION_SNAPSHOTS: &str = "authapi_session_snapshots_total";
const SESSION_CACHE_ENTRIES: &str = "authapi_session_cache_entries";
const LEASE_HELD: &str = "authapi_lease_held";
const LEASES_LOST: &str = "authapi_leases_lost_total";
const INVALIDATION_DURATION: &str = "authapi_invalidation_duration_seconds";
const LEASES_EVICTED: &str = "authapi_leases_evicted_total";
const INVALIDATIONS_RECEIVED: &str = "authapi_invalidations_received_total";

/// Counts session snapshots by where they came from. The counters are looked up once, since each
/// request increments one of them.
pub struct SessionSnapshotCounters {
    pub from_memory: Counter,
    /// The result of a read that another request had begun.
    pub shared: Counter,
    pub from_database: Counter,
}

impl SessionSnapshotCounters {
    pub fn new() -> Self {
        let from = |source: &'static str| {
            let counter = counter!(SESSION_SNAPSHOTS, "from" => source);
            counter.absolute(0);
            counter
        };
        Self {
            from_memory: from("memory"),
            shared: from("shared"),
            from_database: from("database"),
        }
    }
}

/// Registers the descriptions and sets the counters without labels to zero.
pub fn describe() {
    describe_counter!(
        SESSION_SNAPSHOTS,
        "Session snapshots that requests asked for, by where they were found."
    );
    describe_gauge!(SESSION_CACHE_ENTRIES, "Session snapshots in memory.");
    describe_gauge!(LEASE_HELD, "Whether requests may be answered from memory.");
    describe_counter!(
        LEASES_LOST,
        "Leases whose renewal was refused because they were evicted or had expired."
    );
    describe_histogram!(
        INVALIDATION_DURATION,
        "Seconds until no replica answered from before a revocation."
    );
    describe_counter!(
        LEASES_EVICTED,
        "Leases of replicas that did not acknowledge in time."
    );
    describe_counter!(
        INVALIDATIONS_RECEIVED,
        "Invalidations received from other processes."
    );
    for name in [LEASES_LOST, LEASES_EVICTED, INVALIDATIONS_RECEIVED] {
        counter!(name).absolute(0);
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "the cache holds far less than 2^52 entries"
)]
pub fn session_cache_entries(count: usize) {
    gauge!(SESSION_CACHE_ENTRIES).set(count as f64);
}

pub fn lease_held(held: bool) {
    gauge!(LEASE_HELD).set(f64::from(u8::from(held)));
}

pub fn lease_lost() {
    counter!(LEASES_LOST).increment(1);
}

/// Records how long a publication took. `waited` is whether it waited for anything but
/// acknowledgements: for silent replicas, or for a database that did not respond.
pub fn invalidation_duration(waited: bool, took: Duration) {
    let outcome = if waited { "waited" } else { "acknowledged" };
    histogram!(INVALIDATION_DURATION, "outcome" => outcome).record(took);
}

pub fn leases_evicted(count: usize) {
    counter!(LEASES_EVICTED).increment(count as u64);
}

pub fn invalidation_received() {
    counter!(INVALIDATIONS_RECEIVED).increment(1);
}
