//! The generic cell rate algorithm, as pure functions. A bucket is the time at which a budget is
//! full again; one that was never used is full at the time 0.

use domain::throttle::Budget;
use std::time::Duration;
use thiserror::Error;

/// The maximum time in which an empty budget refills.
const MAX_REFILL: Duration = Duration::from_hours(365 * 24);

/// The error for a budget that cannot be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a budget must restore one attempt in more than 0 seconds, and all of them within a year")]
pub struct BudgetRefused;

/// The size of a budget, as times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The time in which one attempt is restored.
    every: Duration,
    /// The time in which an empty budget refills.
    refill: Duration,
}

impl TryFrom<Budget> for Rate {
    type Error = BudgetRefused;

    fn try_from(Budget { burst, every }: Budget) -> Result<Self, Self::Error> {
        let refill = every.checked_mul(burst.get()).ok_or(BudgetRefused)?;
        if every.is_zero() || refill > MAX_REFILL {
            return Err(BudgetRefused);
        }
        Ok(Self { every, refill })
    }
}

impl Rate {
    /// Returns the time until an attempt is available; zero if one is.
    pub fn wait(self, full_at: Duration, now: Duration) -> Duration {
        (full_at.max(now) + self.every).saturating_sub(self.refill + now)
    }

    /// Returns the bucket after one attempt is taken or reserved.
    pub fn take(self, full_at: Duration, now: Duration) -> Duration {
        full_at.max(now) + self.every
    }

    /// Returns the bucket after one attempt is returned.
    pub fn give_back(self, full_at: Duration) -> Duration {
        full_at.saturating_sub(self.every)
    }

    /// Returns the time from which a turn that starts at `start` cannot be used any more.
    pub fn turn_end(self, start: Duration) -> Duration {
        start + self.every * 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::num::NonZeroU32;

    const SECOND: Duration = Duration::from_secs(1);

    fn rate(burst: u32, every: Duration) -> Result<Rate, BudgetRefused> {
        let burst = NonZeroU32::new(burst).expect("the number is not 0");
        Budget { burst, every }.try_into()
    }

    #[test]
    fn a_bucket_that_is_used_up_waits_for_one_restoration() {
        let rate = rate(2, 10 * SECOND).expect("the budget is within bounds");
        let now = 100 * SECOND;
        let once = rate.take(Duration::ZERO, now);
        assert_eq!((once, rate.wait(once, now)), (110 * SECOND, Duration::ZERO));
        let twice = rate.take(once, now);
        assert_eq!((twice, rate.wait(twice, now)), (120 * SECOND, 10 * SECOND));
        assert_eq!(rate.wait(twice, now + 4 * SECOND), 6 * SECOND);
        assert_eq!(rate.wait(twice, now + 10 * SECOND), Duration::ZERO);
        assert_eq!(rate.give_back(twice), once);
    }

    #[test]
    fn budgets_out_of_bounds_are_rejected() {
        for (burst, every) in [
            (1, Duration::ZERO),
            (1, Duration::MAX),
            (u32::MAX, Duration::from_hours(1)),
        ] {
            assert_eq!(rate(burst, every), Err(BudgetRefused), "{burst} every {every:?}");
        }
    }
}
