use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
};

/// Allows every attempt, for a service that is throttled elsewhere.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn take(&self, _key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Allowed)
    }
}
