use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use std::{
    num::NonZeroUsize,
    time::{Duration, Instant},
};

const QUEUE_LENGTH: &str = "authapi_hash_queue_length";
const THREADS: &str = "authapi_hash_threads";
const THREADS_BUSY: &str = "authapi_hash_threads_busy";
const REJECTED: &str = "authapi_hash_rejected_total";
const WAIT: &str = "authapi_hash_wait_seconds";
const DURATION: &str = "authapi_hash_duration_seconds";

/// The kind of a job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// Hashes a password, or compares it with a hash.
    Hash,
    /// Rates the strength of a password.
    Rating,
    /// Looks up a password in the list of breached ones.
    Lookup,
}

/// Why a job was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    QueueFull,
    WouldWaitTooLong,
    /// A client of a network with fewer places took the place.
    Displaced,
}

/// The metrics of one pool, shared by clones. They are recorded by the recorder installed when this
/// is created.
#[derive(Clone)]
pub struct PoolMetrics {
    queue_length: Gauge,
    threads_busy: Gauge,
    refused_full: Counter,
    refused_wait: Counter,
    refused_displaced: Counter,
    wait: Histogram,
    hash: Histogram,
    rating: Histogram,
    lookup: Histogram,
}

impl PoolMetrics {
    pub fn new(threads: NonZeroUsize) -> Self {
        describe();
        let threads = u32::try_from(threads.get()).unwrap_or(u32::MAX);
        gauge!(THREADS).set(threads);
        Self {
            queue_length: gauge!(QUEUE_LENGTH),
            threads_busy: gauge!(THREADS_BUSY),
            refused_full: counter!(REJECTED, "reason" => "queue_full"),
            refused_wait: counter!(REJECTED, "reason" => "would_wait_too_long"),
            refused_displaced: counter!(REJECTED, "reason" => "displaced"),
            wait: histogram!(WAIT),
            hash: histogram!(DURATION, "work" => "hash"),
            rating: histogram!(DURATION, "work" => "rating"),
            lookup: histogram!(DURATION, "work" => "lookup"),
        }
    }

    /// Counts a job that is about to enter the queue.
    pub fn queued(&self) {
        self.queue_length.increment(1);
    }

    /// Counts a job that has left the queue, or did not enter it.
    pub fn taken(&self) {
        self.queue_length.decrement(1);
    }

    pub fn busy(&self) {
        self.threads_busy.increment(1);
    }

    pub fn idle(&self) {
        self.threads_busy.decrement(1);
    }

    pub fn refused(&self, refusal: Refusal) {
        let counter = match refusal {
            Refusal::QueueFull => &self.refused_full,
            Refusal::WouldWaitTooLong => &self.refused_wait,
            Refusal::Displaced => &self.refused_displaced,
        };
        counter.increment(1);
    }

    /// Runs `job`, which has waited for `waited`, and returns its result and its duration.
    pub fn metered<T>(&self, work: Work, waited: Duration, job: impl FnOnce() -> T) -> (T, Duration) {
        self.wait.record(waited);
        let started = Instant::now();
        let answer = job();
        let took = started.elapsed();
        let duration = match work {
            Work::Hash => &self.hash,
            Work::Rating => &self.rating,
            Work::Lookup => &self.lookup,
        };
        duration.record(took);
        (answer, took)
    }
}

fn describe() {
    describe_gauge!(QUEUE_LENGTH, "Passwords waiting to be hashed or rated.");
    describe_gauge!(THREADS, "Threads that hash and rate passwords.");
    describe_gauge!(THREADS_BUSY, "Threads currently hashing or rating a password.");
    describe_counter!(
        REJECTED,
        "Jobs rejected because the queue was full, the expected wait too long, or another network took the place."
    );
    describe_histogram!(
        WAIT,
        "Time in seconds that a password waited to be hashed or rated."
    );
    describe_histogram!(DURATION, "Time in seconds to hash, rate or look up a password.");
}
