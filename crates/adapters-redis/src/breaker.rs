use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Decides whether to ask somebody who may be away. It is closed while they answer, open when they did not, and lets one
/// question through at intervals while it is open.
pub(crate) struct Breaker {
    interval: Duration,
    /// When the next question may be asked; `None` while closed.
    open_until: Mutex<Option<Instant>>,
}

/// What to do with a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Ask.
    Ask,
    /// Do not wait for an answer, but find out whether there would be one.
    Probe,
    /// Do not ask.
    Spare,
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

    pub(crate) fn verdict(&self, now: Instant) -> Verdict {
        match &mut *self.open_until() {
            None => Verdict::Ask,
            Some(until) if now < *until => Verdict::Spare,
            Some(until) => {
                *until = now + self.interval;
                Verdict::Probe
            }
        }
    }

    /// Whether this closed it.
    pub(crate) fn close(&self) -> bool {
        self.open_until().take().is_some()
    }

    /// Whether this opened it; one that is open stays as it is.
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
    fn an_open_breaker_lets_one_question_through_at_each_interval() {
        let (breaker, start) = (Breaker::new(INTERVAL), Instant::now());
        assert_eq!(breaker.verdict(start), Verdict::Ask);
        assert!(breaker.open(start));
        assert!(breaker.is_open());
        for round in 0..3 {
            let begin = start + round * INTERVAL;
            assert_eq!(breaker.verdict(begin + INTERVAL / 2), Verdict::Spare);
            assert_eq!(breaker.verdict(begin + INTERVAL), Verdict::Probe);
            assert_eq!(breaker.verdict(begin + INTERVAL), Verdict::Spare);
        }
        assert!(breaker.close());
        assert_eq!(breaker.verdict(start), Verdict::Ask);
        assert!(!breaker.close(), "it was closed before");
    }

    #[test]
    fn who_fails_while_it_is_open_does_not_put_the_next_question_off() {
        let (breaker, start) = (Breaker::new(INTERVAL), Instant::now());
        assert!(breaker.open(start));
        assert!(!breaker.open(start + INTERVAL / 2));
        assert_eq!(breaker.verdict(start + INTERVAL), Verdict::Probe);
    }
}
