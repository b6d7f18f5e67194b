use chrono::{DateTime, Duration, SubsecRound, Utc};
use domain::ports::Clock;
use std::sync::{Mutex, MutexGuard};

/// A clock that changes only when a test sets it.
pub struct FixedClock(Mutex<DateTime<Utc>>);

impl FixedClock {
    /// Creates a clock that is set to `at`.
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves the clock forward by `by`, or back if `by` is negative.
    pub fn advance(&self, by: Duration) {
        *self.locked() += by;
    }

    fn locked(&self) -> MutexGuard<'_, DateTime<Utc>> {
        self.0.lock().expect("the clock stays within the range of chrono")
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.locked().trunc_subsecs(6)
    }
}
