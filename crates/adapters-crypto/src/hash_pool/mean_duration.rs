use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// The weight of a new measurement in the mean, as a divisor. When hashing becomes slower, as on a
/// busy machine, the mean follows within a few jobs per thread.
const WEIGHT: u64 = 16;

/// The mean duration of recent jobs.
#[derive(Default)]
pub struct MeanDuration {
    /// In nanoseconds; 0 before the first measurement.
    nanos: AtomicU64,
}

impl MeanDuration {
    pub fn record(&self, took: Duration) {
        let took = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let record = |mean| Some(smoothed(mean, took));
        // The closure always returns `Some`, so the update cannot fail.
        let _ = self
            .nanos
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, record);
    }

    /// Returns the expected wait behind `ahead` jobs that wait or run. In the duration of one job,
    /// `threads` of them end.
    pub fn expected_wait(&self, ahead: usize, threads: usize) -> Duration {
        let mean = Duration::from_nanos(self.nanos.load(Ordering::Relaxed));
        let until_its_turn = (ahead + 1).saturating_sub(threads);
        let until_its_turn = u32::try_from(until_its_turn).unwrap_or(u32::MAX);
        mean.saturating_mul(until_its_turn) / u32::try_from(threads).unwrap_or(u32::MAX)
    }
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
            let durations = MeanDuration::default();
            durations.record(Duration::from_millis(mean));
            assert_eq!(
                durations.expected_wait(ahead, threads),
                Duration::from_millis(wait),
                "{ahead} ahead, {threads} threads, {mean} ms"
            );
        }
        let durations = MeanDuration::default();
        durations.record(Duration::MAX);
        assert!(durations.expected_wait(usize::MAX - 1, 1) > Duration::from_hours(1));
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
}
