//! What is counted of all this.

use ::metrics::{Counter, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use std::time::Duration;

const VIEWS: &str = "authapi_session_snapshots_total";
const KEPT: &str = "authapi_session_cache_entries";
const HELD: &str = "authapi_lease_held";
const LOST: &str = "authapi_leases_lost_total";
const ANNOUNCEMENTS: &str = "authapi_invalidation_duration_seconds";
const EVICTED: &str = "authapi_leases_evicted_total";
const HEARD: &str = "authapi_invalidations_heard_total";

/// Where the views of requests came from. Counted at each request, so these are looked up once.
pub struct ViewMeter {
    pub from_memory: Counter,
    /// Another request was reading it.
    pub shared: Counter,
    pub from_database: Counter,
}

impl ViewMeter {
    pub fn new() -> Self {
        let from = |word: &'static str| {
            let counter = counter!(VIEWS, "from" => word);
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

pub fn describe() {
    describe_counter!(
        VIEWS,
        "Sessions that requests asked for, by where they were found."
    );
    describe_gauge!(KEPT, "Sessions that are remembered.");
    describe_gauge!(HELD, "Whether requests may be answered from memory.");
    describe_counter!(
        LOST,
        "Leases that were refused to be renewed: evicted, or run out."
    );
    describe_histogram!(
        ANNOUNCEMENTS,
        "Seconds until no replica answered from before a revocation."
    );
    describe_counter!(EVICTED, "Leases of replicas that did not acknowledge in time.");
    describe_counter!(HEARD, "Announcements of other processes that were heard.");
    for name in [LOST, EVICTED, HEARD] {
        counter!(name).absolute(0);
    }
}

/// As the keeper of the lease finds it, each time that it looks: while there are requests twice a second.
#[expect(clippy::cast_precision_loss, reason = "there are not so many views")]
pub fn lease(held: bool, kept: usize) {
    gauge!(HELD).set(f64::from(u8::from(held)));
    gauge!(KEPT).set(kept as f64);
}

pub fn lease_lost() {
    counter!(LOST).increment(1);
}

/// An announcement took so long; `waited` for replicas that did not acknowledge, or could not be asked who they are.
pub fn announced(waited: bool, took: Duration) {
    let outcome = if waited { "waited" } else { "acknowledged" };
    histogram!(ANNOUNCEMENTS, "outcome" => outcome).record(took);
}

pub fn evicted(leases: usize) {
    counter!(EVICTED).increment(leases as u64);
}

pub fn heard() {
    counter!(HEARD).increment(1);
}
