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

/// Counts attempts in this process's memory, and starts anew with the process.
pub struct InProcessThrottle<C: Clock + Clone = DefaultClock> {
    clients: Limiter<ClientNetwork, C>,
    accounts: Limiter<CanonicalLogin, C>,
}

impl InProcessThrottle {
    /// # Errors
    /// When a budget of `budgets` cannot be counted.
    pub fn new(budgets: Budgets) -> Result<Self, BudgetRefused> {
        Self::with_clock(budgets, &DefaultClock::default())
    }
}

impl<C: Clock + Clone> InProcessThrottle<C> {
    /// Counts by `clock`, which tests advance.
    ///
    /// # Errors
    /// When a budget of `budgets` cannot be counted.
    pub fn with_clock(budgets: Budgets, clock: &C) -> Result<Self, BudgetRefused> {
        Ok(Self {
            clients: Limiter::new(budgets.client, budgets.max_keys, clock)?,
            accounts: Limiter::new(budgets.account, budgets.max_keys, clock)?,
        })
    }

    /// The number of keys that are kept, of both kinds together.
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
