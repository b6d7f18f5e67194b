//! The time until which this process may make tokens.

use domain::{
    ports::{PortError, TokenSigner},
    token::{AccessClaims, AccessToken},
};
use session_cache::ports::MonotonicClock;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use thiserror::Error;
use tokio::sync::Notify;

/// Permits to make tokens until a time. After it, other replicas may no longer accept the keys of
/// this one: to them, a suspended replica looks like one that was killed.
pub struct SigningFence {
    clock: Arc<dyn MonotonicClock>,
    /// In nanoseconds of `clock`; 0 if the fence is closed.
    open_until: AtomicU64,
    wanted: Notify,
}

/// Tokens cannot be made until the replicas have agreed on a key.
#[derive(Debug, Error)]
#[error("no signing key is agreed on: this replica was suspended, or could not compare its keys")]
pub struct Closed;

impl SigningFence {
    /// Creates a closed fence.
    pub fn new(clock: Arc<dyn MonotonicClock>) -> Self {
        Self {
            clock,
            open_until: AtomicU64::new(0),
            wanted: Notify::new(),
        }
    }

    /// Returns the time by the clock of the fence.
    pub fn now(&self) -> Duration {
        self.clock.now()
    }

    pub fn open_until(&self, until: Duration) {
        self.open_until.store(nanos(until), Ordering::Release);
    }

    pub fn close(&self) {
        self.open_until.store(0, Ordering::Release);
    }

    pub fn is_open(&self) -> bool {
        nanos(self.now()) < self.open_until.load(Ordering::Acquire)
    }

    /// Returns once a token was to be made while the fence was closed.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    fn check(&self) -> Result<(), Closed> {
        if self.is_open() {
            return Ok(());
        }
        self.wanted.notify_one();
        Err(Closed)
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// Signs while a fence is open.
pub struct FencedSigner {
    inner: Arc<dyn TokenSigner>,
    fence: Arc<SigningFence>,
}

impl FencedSigner {
    pub fn new(inner: Arc<dyn TokenSigner>, fence: Arc<SigningFence>) -> Self {
        Self { inner, fence }
    }
}

impl TokenSigner for FencedSigner {
    fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, PortError> {
        let checked = self.fence.check();
        checked.map_err(|closed| PortError::Unavailable(Box::new(closed)))?;
        self.inner.sign(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::role::RoleNames;
    use testkit::{PlainTokens, TokioClock};
    use tokio::time::advance;
    use uuid::Uuid;

    const SECOND: Duration = Duration::from_secs(1);

    fn claims() -> AccessClaims {
        AccessClaims {
            iss: "https://auth.example".to_owned(),
            aud: "api".to_owned(),
            sub: Uuid::nil(),
            client_id: "authapi".to_owned(),
            iat: 0,
            exp: 1,
            jti: Uuid::nil(),
            sid: Uuid::nil(),
            epoch: 0,
            roles: RoleNames::default(),
            auth_time: None,
            permissions: None,
        }
    }

    #[tokio::test(start_paused = true)]
    async fn tokens_are_made_only_while_the_fence_is_open() {
        let fence = Arc::new(SigningFence::new(Arc::new(TokioClock::default())));
        let signer = FencedSigner::new(Arc::new(PlainTokens::default()), Arc::clone(&fence));
        let is_made = || signer.sign(&claims()).is_ok();
        assert!(!is_made());
        fence.wanted().await;

        fence.open_until(fence.now() + 2 * SECOND);
        advance(SECOND).await;
        assert!(is_made() && fence.is_open());
        advance(SECOND).await;
        assert!(!is_made() && !fence.is_open(), "the time is over");
        fence.wanted().await;

        fence.open_until(fence.now() + SECOND);
        fence.close();
        assert!(!is_made());
    }
}
