use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// A circuit breaker for a dependency that may be unavailable. It is closed while the dependency
/// responds and open after a failure. While it is open, it permits one probe per interval.
pub(crate) struct Breaker {
    interval: Duration,
    /// When the next probe is permitted; `None` while closed.
    open_until: Mutex<Option<Instant>>,
}

/// What to do with a request to the dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decision {
    /// Send it and wait for the response.
    Send,
    /// Send it to find out whether the dependency responds, but do not wait.
    Probe,
    /// Do not send it.
    Skip,
}

impl Breaker {
    pub(crate) fn new(interval: Duration) -> Self {
        Self {
            interval,
            open_until: Mutex::new(None),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.open_until().is_some()
    }

    pub(crate) fn decide(&self, now: Instant) -> Decision {
        match &mut *self.open_until() {
            None => Decision::Send,
            Some(until) if now < *until => Decision::Skip,
            Some(until) => {
                *until = now + self.interval;
                Decision::Probe
            }
        }
    }

    /// Closes the breaker. Returns whether it was open.
    pub(crate) fn close(&self) -> bool {
        self.open_until().take().is_some()
    }

    /// Opens the breaker until the next probe, unless it is open. Returns whether it was closed.
    pub(crate) fn open(&self, now: Instant) -> bool {
        let mut open_until = self.open_until();
        let opened = open_until.is_none();
        open_until.get_or_insert(now + self.interval);
        opened
    }

    fn open_until(&self) -> MutexGuard<'_, Option<Instant>> {
        self.open_until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(500);

    #[test]
    fn an_open_breaker_permits_one_probe_per_interval() {
        let (breaker, start) = (Breaker::new(INTERVAL), Instant::now());
        assert_eq!(breaker.decide(start), Decision::Send);
        assert!(breaker.open(start));
        assert!(breaker.is_open());
        for round in 0..3 {
            let begin = start + round * INTERVAL;
            assert_eq!(breaker.decide(begin + INTERVAL / 2), Decision::Skip);
            assert_eq!(breaker.decide(begin + INTERVAL), Decision::Probe);
            assert_eq!(breaker.decide(begin + INTERVAL), Decision::Skip);
        }
        assert!(breaker.close());
        assert_eq!(breaker.decide(start), Decision::Send);
        assert!(!breaker.close(), "it was closed before");
    }

    #[test]
    fn a_failure_while_open_does_not_delay_the_next_probe() {
        let (breaker, start) = (Breaker::new(INTERVAL), Instant::now());
        assert!(breaker.open(start));
        assert!(!breaker.open(start + INTERVAL / 2));
        assert_eq!(breaker.decide(start + INTERVAL), Decision::Probe);
    }
}
