use std::time::{Duration, Instant};

/// A clock that never goes back, so that a correction of the system's time affects no budget.
pub trait MonotonicClock: Send + Sync {
    /// Returns the time since an arbitrary start.
    fn now(&self) -> Duration;
}

/// The monotonic clock of this process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessClock(Instant);

impl Default for ProcessClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl MonotonicClock for ProcessClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}
