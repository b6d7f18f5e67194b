use super::PortError;
use crate::{
    login::CanonicalLogin,
    throttle::{ThrottleDecision, ThrottleKey},
};
use async_trait::async_trait;
use std::net::IpAddr;

/// Budgets of attempts (OWASP ASVS 5.0, V6.3.1).
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Takes one attempt from the budget of `key`, if there is one left. A refused attempt MUST NOT lengthen the wait,
    /// keys MUST NOT share budgets, and memory MUST stay bounded whatever keys come.
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError>;
}

impl dyn Throttle + '_ {
    /// Takes one attempt by a client on an account, as far as either is known. The client's budget is asked first: who has
    /// none left must not use up the account's.
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
