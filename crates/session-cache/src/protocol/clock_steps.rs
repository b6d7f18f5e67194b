use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// Detects that the calendar clock was stepped, by comparing it with the monotonic clock.
///
/// A hypervisor that pauses a machine stops both clocks, so a lease may expire unnoticed. After
/// the pause, many hosts set the calendar clock, which is the only trace of it. A step by an
/// operator or an NTP client cannot be distinguished from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockSteps {
    tolerance: Duration,
    /// The calendar time at which the monotonic clock was zero, as of the last step.
    origin: Option<DateTime<Utc>>,
}

impl ClockSteps {
    /// Creates a detector that reports steps of more than `tolerance`, also if they add up from
    /// several.
    #[must_use]
    pub const fn new(tolerance: Duration) -> Self {
        Self {
            tolerance,
            origin: None,
        }
    }

    /// Compares readings of both clocks, `now` of the monotonic one. Returns whether the calendar
    /// clock was stepped, in either direction, since the first call or the last step.
    pub fn observe(&mut self, now: Duration, calendar: DateTime<Utc>) -> bool {
        let since_origin = TimeDelta::from_std(now).unwrap_or(TimeDelta::MAX);
        let origin = calendar.checked_sub_signed(since_origin);
        let moved = match (self.origin, origin) {
            (Some(before), Some(origin)) => (origin - before).abs().to_std().unwrap_or(Duration::MAX),
            (None, _) => Duration::ZERO,
            (Some(_), None) => Duration::MAX,
        };
        let stepped = moved > self.tolerance;
        if stepped || self.origin.is_none() {
            self.origin = origin;
        }
        stepped
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testkit::fixtures::at;

    fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn observe(steps: &mut ClockSteps, monotonic: u64, calendar: i64) -> bool {
        steps.observe(ms(monotonic), at(0) + TimeDelta::milliseconds(calendar))
    }

    #[test]
    fn clocks_that_advance_equally_are_not_a_step() {
        let mut steps = ClockSteps::new(ms(50));
        for (monotonic, calendar) in [(1_000, 0), (1_000, 0), (5_000, 4_000), (90_000, 89_030)] {
            assert!(!observe(&mut steps, monotonic, calendar), "{monotonic}");
        }
    }

    #[test]
    fn a_step_in_either_direction_is_reported_once() {
        for step in [51, 5_000, 3_600_000, -51, -3_600_000] {
            let mut steps = ClockSteps::new(ms(50));
            assert!(!observe(&mut steps, 1_000, 0));
            assert!(observe(&mut steps, 1_001, 1 + step), "{step}");
            assert!(!observe(&mut steps, 1_002, 2 + step), "{step}");
        }
    }

    #[test]
    fn small_steps_add_up() {
        let mut steps = ClockSteps::new(ms(50));
        let reported = (0..6).map(|step| observe(&mut steps, 1_000, step * 20));
        assert_eq!(
            reported.collect::<Vec<_>>(),
            [false, false, false, true, false, false]
        );
    }
}
