use super::HashPoolSettings;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// The weight of a new measurement in the mean, as a divisor. When hashing becomes slower, as on a
/// busy machine, the mean follows within a few jobs per thread.
const WEIGHT: u64 = 16;

/// Decides which jobs may enter the queue of a pool. A job that would wait too long is rejected at
/// once, and an admitted job always runs: rejecting it later would make the client wait for
/// nothing.
pub struct Admission {
    threads: usize,
    queue: usize,
    max_wait: Duration,
    /// The number of jobs that wait or run.
    unfinished: AtomicUsize,
    /// The mean duration of a job in nanoseconds; 0 before the first measurement.
    mean: AtomicU64,
}

/// Why a job may not enter the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    QueueFull,
    WouldWaitTooLong,
}

/// A job's place in the pool, from entering the queue to the end of its work.
pub struct Place(Arc<Admission>);

impl Admission {
    pub fn new(settings: HashPoolSettings) -> Self {
        Self {
            threads: settings.threads.get(),
            queue: settings.queue.get(),
            max_wait: settings.max_wait,
            unfinished: AtomicUsize::new(0),
            mean: AtomicU64::new(0),
        }
    }

    /// Reserves a place at the end of the queue.
    ///
    /// # Errors
    /// Returns a [`Refusal`] if too many jobs are ahead.
    pub fn enter(self: &Arc<Self>) -> Result<Place, Refusal> {
        let mut refusal = None;
        let entered = self
            .unfinished
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |ahead| {
                refusal = self.refusal(ahead);
                refusal.is_none().then_some(ahead + 1)
            });
        match (entered, refusal) {
            (Err(_), Some(refusal)) => Err(refusal),
            _ => Ok(Place(Arc::clone(self))),
        }
    }

    /// Reserves a place for a use case that was admitted before.
    pub fn enter_again(self: &Arc<Self>) -> Place {
        self.unfinished.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    fn refusal(&self, ahead: usize) -> Option<Refusal> {
        let mean = Duration::from_nanos(self.mean.load(Ordering::Relaxed));
        if ahead.saturating_sub(self.threads) >= self.queue {
            Some(Refusal::QueueFull)
        } else {
            let wait = expected_wait(ahead, self.threads, mean);
            (wait > self.max_wait).then_some(Refusal::WouldWaitTooLong)
        }
    }

    fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let record = |mean| Some(smoothed(mean, took));
        // The closure always returns `Some`, so the update cannot fail.
        let _ = self
            .mean
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, record);
    }
}

impl Place {
    /// Frees the place after work that took `took`.
    pub fn leave_after(self, took: Duration) {
        self.0.record(took);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.unfinished.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Returns the expected wait behind `ahead` jobs that wait or run. In the duration of one job,
/// `threads` of them end.
fn expected_wait(ahead: usize, threads: usize, mean: Duration) -> Duration {
    let until_its_turn = (ahead + 1).saturating_sub(threads);
    let until_its_turn = u32::try_from(until_its_turn).unwrap_or(u32::MAX);
    mean.saturating_mul(until_its_turn) / u32::try_from(threads).unwrap_or(u32::MAX)
}

/// Returns the exponentially weighted mean after a new measurement.
fn smoothed(mean: u64, took: u64) -> u64 {
    match mean {
        0 => took,
        mean => mean - mean / WEIGHT + took / WEIGHT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroUsize;

    #[test]
    fn the_expected_wait_is_the_work_ahead_divided_by_the_threads() {
        for (ahead, threads, mean, wait) in [
            (0, 1, 20, 0),
            (1, 1, 20, 20),
            (10, 1, 20, 200),
            (1, 2, 20, 0),
            (2, 2, 20, 10),
            (3, 2, 20, 20),
            (501, 2, 20, 5_000),
            (7, 8, 20, 0),
            (8, 8, 16, 2),
            (1_000, 4, 0, 0),
        ] {
            let expected = expected_wait(ahead, threads, Duration::from_millis(mean));
            assert_eq!(
                expected,
                Duration::from_millis(wait),
                "{ahead} ahead, {threads} threads, {mean} ms"
            );
        }
        assert!(expected_wait(usize::MAX - 1, 1, Duration::MAX) > Duration::from_hours(1));
    }

    #[test]
    fn the_mean_follows_the_measurements_and_one_slow_job_changes_it_little() {
        let after = |mean, measured: &[u64]| measured.iter().fold(mean, |mean, took| smoothed(mean, *took));
        assert_eq!(after(0, &[20_000]), 20_000);
        assert_eq!(after(20_000, &[20_000; 100]), 20_000);
        assert_eq!(after(16_000, &[160_000]), 25_000);
        assert!((90_000..=100_000).contains(&after(20_000, &[100_000; 40])));
        assert!((20_000..=30_000).contains(&after(100_000, &[20_000; 40])));
    }

    #[test]
    fn a_job_is_rejected_behind_too_many_or_too_slow_jobs() {
        use Refusal::{QueueFull, WouldWaitTooLong};
        for (ahead, mean, refusal) in [
            (0, 60_000, None),
            (2, 0, None),
            (11, 0, None),
            (12, 0, Some(QueueFull)),
            (2, 2_000, None),
            (3, 1_000, None),
            (3, 1_001, Some(WouldWaitTooLong)),
            (11, 200, None),
            (11, 201, Some(WouldWaitTooLong)),
        ] {
            let admission = Arc::new(Admission::new(HashPoolSettings {
                threads: NonZeroUsize::new(2).expect("the number is not 0"),
                queue: NonZeroUsize::new(10).expect("the number is not 0"),
                max_wait: Duration::from_secs(1),
            }));
            admission.record(Duration::from_millis(mean));
            let places: Vec<_> = (0..ahead).map(|_| admission.enter_again()).collect();
            let found = admission.enter().err();
            assert_eq!(found, refusal, "{ahead} ahead of {mean} ms");
            drop(places);
            assert!(admission.enter().is_ok(), "no job is ahead");
        }
    }
}
