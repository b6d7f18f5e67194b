use std::time::Duration;

/// The number of connections, and how long callers wait.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// The maximum number of open connections.
    pub max_size: usize,
    /// How long to wait for a connection while all of them are in use.
    pub acquire_timeout: Duration,
    /// How long a port's method may take in total, unless its
    /// [request](request_scope::RequestScope) has less time left. MUST be under a second in
    /// service. The time that `acquire_timeout` leaves of it limits waits for locked rows.
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
