use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, ThrottleDecision},
};

/// Allows every attempt, for a service that is throttled elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn take(&self, _attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Allowed)
    }

    async fn succeeded(&self, _attempt: &Attempt, _decision: ThrottleDecision) {}
}
