use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
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
}

#[async_trait]
impl Throttle for OpenThrottle {
    async fn take(&self, _: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Allowed)
    }
}

#[async_trait]
impl Throttle for ClosedThrottle {
    async fn take(&self, _: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Refused {
            retry_after: self.retry_after,
        })
    }
}
