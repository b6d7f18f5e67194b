use super::PortError;
use crate::{
    login::CanonicalLogin,
    throttle::{ThrottleDecision, ThrottleKey},
};
use async_trait::async_trait;
use std::net::IpAddr;

/// Counts attempts against budgets (OWASP ASVS 5.0, V6.3.1).
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Takes one attempt from the budget of `key`, if one is left. A rejected attempt MUST NOT
    /// extend the wait, keys MUST NOT share budgets, and memory MUST stay bounded for any set of
    /// keys.
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError>;
}

impl dyn Throttle + '_ {
    /// Takes one attempt from the budgets of the client and the account, where they are known.
    /// Checks the client's budget first: a client without budget must not consume the account's.
    pub async fn attempt(
        &self,
        client: Option<IpAddr>,
        account: Option<&CanonicalLogin>,
    ) -> Result<ThrottleDecision, PortError> {
        let client = client.map(|address| ThrottleKey::Client(address.into()));
        let account = account.map(|login| ThrottleKey::Account(login.clone()));
        for key in client.into_iter().chain(account) {
            let decision = self.take(key).await?;
            if decision != ThrottleDecision::Allowed {
                return Ok(decision);
            }
        }
        Ok(ThrottleDecision::Allowed)
    }
}
