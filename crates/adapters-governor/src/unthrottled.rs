use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
};

/// No throttle at all, for a service that somebody else throttles.
#[derive(Clone, Copy, Debug, Default)]
pub struct Unthrottled;

#[async_trait]
impl Throttle for Unthrottled {
    async fn take(&self, _key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        Ok(ThrottleDecision::Allowed)
    }
}
