use adapters_throttle::MonotonicClock;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A clock that moves only when a test advances it.
#[derive(Default)]
pub struct SteppedClock(Mutex<Duration>);

impl SteppedClock {
    pub fn advance(&self, by: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += by;
    }

    /// Advances to `time`, unless it has passed.
    pub fn advance_to(&self, time: Duration) {
        self.advance(time.saturating_sub(self.now()));
    }
}

impl MonotonicClock for SteppedClock {
    fn now(&self) -> Duration {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
