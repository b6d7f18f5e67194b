use crate::ports::MonotonicClock;
use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::sleep;

/// The time since the machine was started, the time that it was suspended included: `CLOCK_BOOTTIME`. The standard
/// library's clock stands still meanwhile, and a lease would outlive itself by that much.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

#[async_trait]
impl MonotonicClock for BootClock {
    fn now(&self) -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).expect("a time after the start")
    }

    async fn sleep_until(&self, at: Duration) {
        // tokio's clock stands still while the machine is suspended, so it wakes late and never early; but it rounds.
        while let Some(left) = at.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            sleep(left).await;
        }
    }
}
