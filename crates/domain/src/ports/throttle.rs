use super::PortError;
use crate::throttle::{ThrottleDecision, ThrottleKey};
use async_trait::async_trait;

/// Budgets of attempts (OWASP ASVS 5.0, V6.3.1).
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Throttle: Send + Sync {
    /// Takes one attempt from the budget of `key`, if there is one left. A refused attempt MUST NOT lengthen the wait,
    /// keys MUST NOT share budgets, and memory MUST stay bounded whatever keys come.
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError>;
}
