use chrono::{DateTime, Duration, SubsecRound, Utc};
use domain::ports::Clock;
use std::sync::{Mutex, MutexGuard};

/// A clock that stands still until it is moved.
pub struct FixedClock(Mutex<DateTime<Utc>>);

impl FixedClock {
    #[must_use]
    pub fn new(at: DateTime<Utc>) -> Self {
        Self(Mutex::new(at))
    }

    /// Moves on by `by`; backwards when it is negative.
    pub fn advance(&self, by: Duration) {
        *self.locked() += by;
    }

    fn locked(&self) -> MutexGuard<'_, DateTime<Utc>> {
        self.0
            .lock()
            .expect("moving a clock within chrono's bounds does not panic")
    }
}

impl Clock for FixedClock {
    fn now(&self) -> DateTime<Utc> {
        self.locked().trunc_subsecs(6)
    }
}
