use crate::breaker::{Breaker, Decision};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, ThrottleDecision},
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{task::spawn, time::Instant};

/// The interval between probes of an unavailable primary: it must be in use again within two
/// seconds of its return.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// A throttle with a fallback. When the primary does not respond, the fallback decides until the
/// primary responds again. Meanwhile no attempt waits for the primary. Every admitted attempt is
/// counted.
///
/// The fallback does not include the counts of the primary, and each replica has its own, so its
/// budgets must be stricter.
pub struct FallbackThrottle {
    primary: Arc<dyn Throttle>,
    fallback: Arc<dyn Throttle>,
    breaker: Arc<Breaker>,
}

/// The throttle that decides about the next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InCharge {
    Primary,
    Fallback,
}

impl FallbackThrottle {
    /// Creates a throttle over `primary` and `fallback`. `primary` MUST respond or fail within a
    /// time that is acceptable for a login attempt.
    #[must_use]
    pub fn new(primary: Arc<dyn Throttle>, fallback: Arc<dyn Throttle>) -> Self {
        Self {
            primary,
            fallback,
            breaker: Arc::new(Breaker::new(PROBE_INTERVAL)),
        }
    }

    /// Returns which throttle decides about the next attempt. While the fallback decides, the
    /// return of the primary is only detected by further attempts.
    #[must_use]
    pub fn in_charge(&self) -> InCharge {
        if self.breaker.is_open() {
            InCharge::Fallback
        } else {
            InCharge::Primary
        }
    }

    /// Counts the attempt with the primary too, without waiting for the result.
    fn probe(&self, attempt: Attempt) {
        let (primary, breaker) = (Arc::clone(&self.primary), Arc::clone(&self.breaker));
        spawn(async move {
            if primary.take(&attempt).await.is_ok() && breaker.close() {
                tracing::info!("Redis responds again; attempts are counted by the shared throttle");
            }
        });
    }
}

#[async_trait]
impl Throttle for FallbackThrottle {
    async fn take(&self, attempt: &Attempt) -> Result<ThrottleDecision, PortError> {
        match self.breaker.decide(Instant::now()) {
            Decision::Send => match self.primary.take(attempt).await {
                Ok(decision) => return Ok(decision),
                // The request had no time left, so this does not show that the primary is
                // unavailable.
                Err(PortError::Overloaded) => {}
                Err(error) if self.breaker.open(Instant::now()) => {
                    let error = &error as &(dyn Error + 'static);
                    tracing::warn!(
                        error,
                        "Redis does not respond; attempts are counted by this process until it does"
                    );
                }
                Err(_) => {}
            },
            Decision::Probe => self.probe(attempt.clone()),
            Decision::Skip => {}
        }
        Ok(match self.fallback.take(attempt).await? {
            ThrottleDecision::Allowed => ThrottleDecision::AllowedByFallback,
            decision => decision,
        })
    }

    /// Returns the attempt to the throttle that counted it, whichever decides now.
    async fn succeeded(&self, attempt: &Attempt, decision: ThrottleDecision) {
        match decision {
            ThrottleDecision::Allowed => self.primary.succeeded(attempt, decision).await,
            ThrottleDecision::AllowedByFallback => {
                let decision = ThrottleDecision::Allowed;
                self.fallback.succeeded(attempt, decision).await;
            }
            ThrottleDecision::Refused { .. } => {}
        }
    }
}
