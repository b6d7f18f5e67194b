use crate::{
    bucket::BudgetRefused,
    clock::{MonotonicClock, ProcessClock},
    store::Store,
};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, Budgets, ThrottleDecision},
};
use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// The maximum number of keys of each kind, by default. A full kind takes about 12 MiB, and the
/// turns take at most 30 MiB.
pub const MAX_KEYS: NonZeroUsize = NonZeroUsize::new(100_000).expect("100,000 is not 0");

/// Counts attempts in the memory of this process. A restart resets all counts.
///
/// Keys beyond the maximum number share one budget of each kind, so that a flood of keys neither
/// bypasses the throttle nor exhausts memory. It has no turns, and gets nothing back for a success.
pub struct InProcessThrottle {
    store: Mutex<Store>,
    clock: Arc<dyn MonotonicClock>,
}

impl InProcessThrottle {
    /// Creates a throttle that enforces `budgets`, with at most [`MAX_KEYS`] keys of each kind.
    ///
    /// # Errors
    /// Returns [`BudgetRefused`] if a budget of `budgets` cannot be enforced.
    pub fn new(budgets: &Budgets) -> Result<Self, BudgetRefused> {
        Self::bounded(budgets, MAX_KEYS, Arc::new(ProcessClock::default()))
    }

    /// Creates a throttle with at most `max_keys` keys of each kind, and four times as many turns,
    /// that uses `clock`.
    ///
    /// # Errors
    /// Returns [`BudgetRefused`] if a budget of `budgets` cannot be enforced.
    pub fn bounded(
        budgets: &Budgets,
        max_keys: NonZeroUsize,
        clock: Arc<dyn MonotonicClock>,
    ) -> Result<Self, BudgetRefused> {
        let store = Mutex::new(Store::new(budgets, max_keys)?);
        Ok(Self { store, clock })
    }

    /// Returns the number of keys in memory, of all kinds.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.store().keys()
    }

    /// Returns the number of turns in memory.
    #[must_use]
    pub fn turns(&self) -> usize {
        self.store().turns()
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Throttle for InProcessThrottle {
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        let mut store = self.store();
        // Read under the lock, so that attempts are decided in the order of their times.
        let now = self.clock.now();
        Ok(store.take(attempt, now))
    }

    async fn succeeded(&self, attempt: &Attempt, _decision: ThrottleDecision) {
        self.store().succeeded(attempt);
    }
}
