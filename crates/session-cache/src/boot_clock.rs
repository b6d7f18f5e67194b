use crate::ports::MonotonicClock;
use async_trait::async_trait;
use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::sleep;

/// Measures the time since the machine booted, including time during which it was suspended
/// (`CLOCK_BOOTTIME`).
///
/// The standard library's clock stops during a suspension, so a lease measured by it would outlive
/// its row.
#[derive(Clone, Copy, Debug, Default)]
pub struct BootClock;

#[async_trait]
impl MonotonicClock for BootClock {
    fn now(&self) -> Duration {
        Duration::try_from(clock_gettime(ClockId::Boottime)).expect("the time since boot is not negative")
    }

    async fn sleep_until(&self, at: Duration) {
        // tokio's clock stops during a suspension, so a sleep may end late. It also rounds, so a
        // sleep may end early: check the time again.
        while let Some(left) = at.checked_sub(self.now()).filter(|left| !left.is_zero()) {
            sleep(left).await;
        }
    }
}
