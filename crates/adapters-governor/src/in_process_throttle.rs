use crate::{
    budget::{BudgetRefused, Budgets},
    limiter::Limiter,
};
use async_trait::async_trait;
use domain::{
    login::CanonicalLogin,
    ports::{PortError, Throttle},
    throttle::{ClientNetwork, ThrottleDecision, ThrottleKey},
};
use governor::clock::{Clock, DefaultClock};

/// Counts attempts in the memory of this process. A restart resets all counts.
pub struct InProcessThrottle<C: Clock + Clone = DefaultClock> {
    clients: Limiter<ClientNetwork, C>,
    accounts: Limiter<CanonicalLogin, C>,
}

impl InProcessThrottle {
    /// Creates a throttle that enforces `budgets`.
    ///
    /// # Errors
    /// Returns [`BudgetRefused`] if a budget of `budgets` cannot be enforced.
    pub fn new(budgets: Budgets) -> Result<Self, BudgetRefused> {
        Self::with_clock(budgets, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> InProcessThrottle<C> {
    /// Creates a throttle that uses `clock`, which tests advance.
    ///
    /// # Errors
    /// Returns [`BudgetRefused`] if a budget of `budgets` cannot be enforced.
    pub fn with_clock(budgets: Budgets, clock: &C) -> Result<Self, BudgetRefused> {
        Ok(Self {
            clients: Limiter::new(budgets.client, budgets.max_keys, clock)?,
            accounts: Limiter::new(budgets.account, budgets.max_keys, clock)?,
        })
    }

    /// Returns the number of keys in memory, of both kinds.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.clients.keys() + self.accounts.keys()
    }
}

#[async_trait]
impl<C> Throttle for InProcessThrottle<C>
where
    C: Clock<Instant: Send + Sync> + Clone + Send + Sync,
{
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        Ok(match key {
            ThrottleKey::Client(network) => self.clients.take(&network),
            ThrottleKey::Account(login) => self.accounts.take(&login),
        })
    }
}
