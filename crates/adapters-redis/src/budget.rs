use std::{num::NonZeroU32, time::Duration};
use thiserror::Error;

/// The longest that a budget may take to refill from nothing.
const MAX_REFILL: Duration = Duration::from_hours(365 * 24);

/// How many attempts one key has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Attempts that may come at once after a rest.
    pub burst: NonZeroU32,
    /// The time in which one attempt is regained, counted in whole microseconds.
    pub every: Duration,
}

/// The budgets of each kind of key. Redis forgets a key when its budget is whole again, so that memory is bounded by the
/// attempts of the longest refill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// For each [network](domain::throttle::ThrottleKey::Client).
    pub client: Budget,
    /// For each [login](domain::throttle::ThrottleKey::Account), whether it is taken or not.
    pub account: Budget,
    /// For all keys together, on top of their own: what the whole service takes on. An attempt of a client on an account
    /// counts twice, once for each. An attempt that is refused here alone has used up one of its key's own.
    pub global: Option<Budget>,
}

/// A budget that cannot be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a budget regains an attempt in a microsecond or more, and all of them within a year")]
pub struct BudgetRefused;

/// A budget in the numbers that the script counts in: microseconds, which it holds exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The time in which one attempt is regained.
    pub(crate) every: u64,
    /// The time in which all are.
    pub(crate) refill: u64,
}

impl TryFrom<Budget> for Rate {
    type Error = BudgetRefused;

    fn try_from(Budget { burst, every }: Budget) -> Result<Self, Self::Error> {
        let refill = every.checked_mul(burst.get()).ok_or(BudgetRefused)?;
        if every < Duration::from_micros(1) || refill > MAX_REFILL {
            return Err(BudgetRefused);
        }
        let every = u64::try_from(every.as_micros()).map_err(|_| BudgetRefused)?;
        Ok(Self {
            every,
            refill: every * u64::from(burst.get()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(burst: u32, every: Duration) -> Result<Rate, BudgetRefused> {
        let burst = NonZeroU32::new(burst).expect("not 0");
        Rate::try_from(Budget { burst, every })
    }

    #[test]
    fn a_budget_is_counted_in_microseconds() {
        let (every, refill) = (2_000_000, 60_000_000);
        assert_eq!(rate(30, Duration::from_secs(2)), Ok(Rate { every, refill }));
    }

    #[test]
    fn budgets_that_cannot_be_counted_are_refused() {
        for (burst, every) in [
            (1, Duration::ZERO),
            (1, Duration::from_nanos(999)),
            (1, Duration::MAX),
            (u32::MAX, Duration::from_hours(1)),
        ] {
            assert_eq!(rate(burst, every), Err(BudgetRefused), "{burst} every {every:?}");
        }
    }
}
