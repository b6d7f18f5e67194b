use domain::throttle::Budget;
use std::time::Duration;
use thiserror::Error;

/// The maximum time that an empty budget may take to refill.
const MAX_REFILL: Duration = Duration::from_hours(365 * 24);

/// The error for a budget that cannot be represented.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a budget must restore one attempt in at least a microsecond and all of them within a year")]
pub struct BudgetRefused;

/// A budget in microseconds, which the script represents exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    /// The time in which one attempt is restored.
    pub(crate) every: u64,
    /// The time in which an empty budget refills.
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
    use std::num::NonZeroU32;

    fn rate(burst: u32, every: Duration) -> Result<Rate, BudgetRefused> {
        let burst = NonZeroU32::new(burst).expect("the number is not 0");
        Rate::try_from(Budget { burst, every })
    }

    #[test]
    fn a_budget_is_counted_in_microseconds() {
        let (every, refill) = (2_000_000, 60_000_000);
        assert_eq!(rate(30, Duration::from_secs(2)), Ok(Rate { every, refill }));
    }

    #[test]
    fn budgets_that_cannot_be_represented_are_rejected() {
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
