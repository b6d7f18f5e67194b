use async_trait::async_trait;
use std::time::Duration;

/// Time that passes, for waiting and for what runs out; what day it is, is [`Clock`](domain::ports::Clock)'s to say.
#[async_trait]
pub trait MonotonicClock: Send + Sync {
    /// How long it is since some instant that stays the same while the process runs. It MUST NOT ever go back, and MUST
    /// count the time in which the machine was suspended: leases run out meanwhile.
    fn now(&self) -> Duration;

    /// Waits until [`now`](Self::now) says `at` or later, and MUST NOT return before; at once when it does already.
    async fn sleep_until(&self, at: Duration);
}
