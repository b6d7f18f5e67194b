use async_trait::async_trait;
use std::time::Duration;

/// Measures elapsed time, for waiting and for expiry. Calendar time comes from
/// [`Clock`](domain::ports::Clock).
#[async_trait]
pub trait MonotonicClock: Send + Sync {
    /// Returns the time since an instant that is fixed while the process runs. It MUST NOT
    /// decrease, and MUST include time during which the machine was suspended, because leases
    /// expire meanwhile.
    fn now(&self) -> Duration;

    /// Waits until [`now`](Self::now) returns `at` or more. It MUST NOT return earlier, and MUST
    /// return at once if `at` is past.
    async fn sleep_until(&self, at: Duration);
}
