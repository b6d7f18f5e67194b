use std::time::Duration;

/// How many connections there are, and how long anybody waits.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The most connections that are open at once.
    pub max_size: usize,
    /// How long to wait for a connection while all of them are taken.
    pub acquire_timeout: Duration,
    /// How long a port's method may take in all, unless its [request](request_scope::RequestScope) has less left. In service
    /// it MUST be under a second. Locked rows are waited for as long as `acquire_timeout` leaves of it.
    pub answer_timeout: Duration,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            max_size: 16,
            acquire_timeout: Duration::from_millis(500),
            answer_timeout: Duration::from_millis(900),
        }
    }
}
