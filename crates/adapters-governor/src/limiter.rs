use crate::{
    bounded_store::BoundedStore,
    budget::{Budget, BudgetRefused},
};
use domain::throttle::ThrottleDecision;
use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use std::{hash::Hash, num::NonZeroUsize, time::Duration};

/// The minimum interval between two searches for keys with a full budget, since a search visits
/// every key.
const SWEEP_INTERVAL: Duration = Duration::from_secs(1);

/// A budget for each key of one kind.
pub struct Limiter<K: Clone + Eq + Hash, C: Clock + Clone> {
    budgets: RateLimiter<K, BoundedStore<K>, C, NoOpMiddleware<C::Instant>>,
    sweeps: RateLimiter<NotKeyed, InMemoryState, C, NoOpMiddleware<C::Instant>>,
    max_keys: NonZeroUsize,
    clock: C,
}

impl<K: Clone + Eq + Hash, C: Clock + Clone> Limiter<K, C> {
    pub fn new(budget: Budget, max_keys: NonZeroUsize, clock: &C) -> Result<Self, BudgetRefused> {
        let quota = Quota::try_from(budget)?;
        let sweeps = Quota::with_period(SWEEP_INTERVAL).expect("a second is not 0");
        Ok(Self {
            budgets: RateLimiter::new(quota, BoundedStore::new(max_keys), clock.clone()),
            sweeps: RateLimiter::direct_with_clock(sweeps, clock.clone()),
            max_keys,
            clock: clock.clone(),
        })
    }

    /// Takes one attempt of `key`. At the maximum number of keys, those with a full budget are
    /// evicted first, at most once per second.
    pub fn take(&self, key: &K) -> ThrottleDecision {
        if self.keys() >= self.max_keys.get() && self.sweeps.check().is_ok() {
            self.budgets.retain_recent();
        }
        match self.budgets.check_key(key) {
            Ok(()) => ThrottleDecision::Allowed,
            Err(until) => ThrottleDecision::Refused {
                retry_after: until.wait_time_from(self.clock.now()),
            },
        }
    }

    pub fn keys(&self) -> usize {
        self.budgets.len()
    }
}
