use governor::Quota;
use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};
use thiserror::Error;

/// The maximum time in which an empty budget refills.
const MAX_REFILL: Duration = Duration::from_hours(365 * 24);

/// The attempts of one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The attempts that a key may make at once when its budget is full.
    pub burst: NonZeroU32,
    /// The time in which one attempt is restored.
    pub every: Duration,
}

/// The budgets of each kind of key, and a limit on their memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budgets {
    /// The budget of each [network](domain::throttle::ThrottleKey::Client).
    pub client: Budget,
    /// The budget of each [login](domain::throttle::ThrottleKey::Account), whether a user has it or
    /// not.
    pub account: Budget,
    /// The maximum number of keys of each kind. Keys beyond it share one budget, so that a flood of
    /// keys neither bypasses the throttle nor exhausts memory.
    pub max_keys: NonZeroUsize,
}

/// The error for a budget that cannot be enforced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the budget is out of bounds; an attempt must be regained in more than 0 seconds, and all of them within a year"
)]
pub struct BudgetRefused;

impl Budgets {
    /// A client may make 30 attempts at once, then 30 a minute. An account permits 10 at once, then
    /// one every 40 seconds, so that no hour has more than 100. The throttle keeps 100,000 keys of
    /// each kind, which take at most about 30 MiB.
    pub const DEFAULT: Self = Self {
        client: Budget {
            burst: NonZeroU32::new(30).expect("30 is not 0"),
            every: Duration::from_secs(2),
        },
        account: Budget {
            burst: NonZeroU32::new(10).expect("10 is not 0"),
            every: Duration::from_secs(40),
        },
        max_keys: NonZeroUsize::new(100_000).expect("100,000 is not 0"),
    };
}

impl Default for Budgets {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl TryFrom<Budget> for Quota {
    type Error = BudgetRefused;

    fn try_from(Budget { burst, every }: Budget) -> Result<Self, Self::Error> {
        let refills_in_time = every
            .checked_mul(burst.get())
            .is_some_and(|refill| refill <= MAX_REFILL);
        Self::with_period(every)
            .filter(|_| refills_in_time)
            .map(|quota| quota.allow_burst(burst))
            .ok_or(BudgetRefused)
    }
}
