use crate::breaker::{Breaker, Verdict};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{task::spawn, time::Instant};

/// How often a primary that is away is asked again: it must be in use again within two seconds of its return.
const PROBE_INTERVAL: Duration = Duration::from_millis(500);

/// A throttle with another to fall back on. When the primary gives no answer the fallback decides, at once and without
/// asking the primary first, until the primary answers again. Attempts are never let through uncounted.
///
/// The fallback knows nothing of what the primary has counted, and each replica has one of its own: its budgets must be
/// stricter.
pub struct FallbackThrottle {
    primary: Arc<dyn Throttle>,
    fallback: Arc<dyn Throttle>,
    breaker: Arc<Breaker>,
}

/// Who decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InCharge {
    Primary,
    Fallback,
}

impl FallbackThrottle {
    /// `primary` must answer or fail within a time that an attempt may take.
    #[must_use]
    pub fn new(primary: Arc<dyn Throttle>, fallback: Arc<dyn Throttle>) -> Self {
        Self {
            primary,
            fallback,
            breaker: Arc::new(Breaker::new(PROBE_INTERVAL)),
        }
    }

    /// Who decides about the next attempt. While the fallback does, only further attempts find out that the primary is
    /// back.
    #[must_use]
    pub fn in_charge(&self) -> InCharge {
        if self.breaker.is_open() {
            InCharge::Fallback
        } else {
            InCharge::Primary
        }
    }

    /// The attempt is counted by the primary too, but nobody waits for that.
    fn probe(&self, key: ThrottleKey) {
        let (primary, breaker) = (Arc::clone(&self.primary), Arc::clone(&self.breaker));
        spawn(async move {
            if primary.take(key).await.is_ok() && breaker.close() {
                tracing::info!("the shared throttle is back and decides again");
            }
        });
    }
}

#[async_trait]
impl Throttle for FallbackThrottle {
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        match self.breaker.verdict(Instant::now()) {
            Verdict::Ask => match self.primary.take(key.clone()).await {
                Ok(decision) => return Ok(decision),
                // It had no time to answer, and may do well.
                Err(PortError::Overloaded) => {}
                Err(error) if self.breaker.open(Instant::now()) => {
                    let error = &error as &(dyn Error + 'static);
                    tracing::warn!(
                        error,
                        "the shared throttle is away: this process counts by itself"
                    );
                }
                Err(_) => {}
            },
            Verdict::Probe => self.probe(key.clone()),
            Verdict::Spare => {}
        }
        self.fallback.take(key).await
    }
}
