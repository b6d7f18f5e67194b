use async_trait::async_trait;
use session_cache::ports::MonotonicClock;
use std::time::Duration;
use tokio::time::{Instant, sleep_until};

/// tokio's clock, which a test can pause and advance with `tokio::time::{pause, advance}`.
#[derive(Clone, Copy)]
pub struct TokioClock(Instant);

impl Default for TokioClock {
    fn default() -> Self {
        Self(Instant::now())
    }
}

#[async_trait]
impl MonotonicClock for TokioClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    async fn sleep_until(&self, at: Duration) {
        sleep_until(self.0 + at).await;
    }
}
