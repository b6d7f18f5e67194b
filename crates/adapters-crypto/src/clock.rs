use chrono::{DateTime, SubsecRound, Utc};
use domain::ports::Clock;

/// The system clock, truncated to microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this adapter is the only reader of the system clock"
    )]
    fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_reads_the_system_time_in_whole_microseconds() {
        let readings: Vec<_> = (0..1000).map(|_| SystemClock.now()).collect();
        assert!(
            readings
                .iter()
                .all(|now| now.timestamp_subsec_nanos() % 1000 == 0)
        );
        let since_epoch = std::time::UNIX_EPOCH.elapsed().expect("the clock is past 1970");
        let seconds = i64::try_from(since_epoch.as_secs()).expect("the seconds fit in an i64");
        assert!((SystemClock.now().timestamp() - seconds).abs() <= 1);
    }
}
