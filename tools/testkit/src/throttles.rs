use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, BudgetKind, ThrottleDecision},
};
use std::time::Duration;

/// A throttle that allows every attempt.
#[derive(Clone, Copy, Debug, Default)]
pub struct OpenThrottle;

/// A throttle that refuses every attempt.
#[derive(Clone, Copy, Debug)]
pub struct ClosedThrottle {
    /// The time to wait that every refusal contains.
    pub retry_after: Duration,
    /// The kind of the budget that every refusal names.
    pub budget: BudgetKind,
}

#[async_trait]
impl Throttle for OpenThrottle {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Allowed)
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {}
}

#[async_trait]
impl Throttle for ClosedThrottle {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Refused {
            retry_after: self.retry_after,
            budget: self.budget,
        })
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {}
}
