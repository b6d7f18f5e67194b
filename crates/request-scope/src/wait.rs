use crate::RequestScope;
use std::time::Duration;
use tokio::time::Instant;

/// A wait for a response of another system. When it is dropped, its duration is subtracted from the
/// wait budget of its request.
///
/// The waits of a request should be sequential. Each of two concurrent waits is limited by the
/// budget left when it started, and both are subtracted: the request does not exceed its budget,
/// but less is left for later waits.
#[derive(Debug)]
pub struct Wait {
    request: Option<RequestScope>,
    began: Instant,
    limit: Duration,
}

impl Wait {
    /// Starts a wait of `longest` or the rest of the current request's wait budget, whichever is
    /// shorter. Returns `None` if the budget is used up; in that case the caller MUST NOT send its
    /// query.
    #[must_use]
    pub fn begin(longest: Duration) -> Option<Self> {
        let request = RequestScope::current();
        let left = request.as_ref().map_or(longest, RequestScope::time_left);
        let limit = longest.min(left);
        (limit > Duration::ZERO).then(|| Self {
            request,
            began: Instant::now(),
            limit,
        })
    }

    /// Returns the maximum duration of the wait.
    #[must_use]
    pub fn limit(&self) -> Duration {
        self.limit
    }

    /// Returns the instant at which the wait must end.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.began + self.limit
    }

    /// Returns the time left.
    #[must_use]
    pub fn left(&self) -> Duration {
        self.deadline().saturating_duration_since(Instant::now())
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some(request) = &self.request {
            let mut left = request.left();
            *left = left.saturating_sub(self.began.elapsed());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::{advance, pause};

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(number: u64) -> Duration {
        Duration::from_millis(number)
    }

    fn begin(longest: Duration) -> Wait {
        Wait::begin(longest).expect("time is left")
    }

    #[tokio::test]
    async fn waits_of_a_request_share_its_budget_and_time_between_waits_does_not_count() {
        pause();
        let scope = RequestScope::with_wait_budget(ms(900));
        let work = async {
            for (longest, limit, took, left) in [
                (SECOND, 900, 300, 600),
                (ms(500), 500, 500, 100),
                (ms(500), 100, 99, 1),
                (SECOND, 1, 7, 0),
            ] {
                let wait = begin(longest);
                assert_eq!(wait.limit(), ms(limit));
                advance(ms(took)).await;
                assert_eq!(wait.left(), ms(limit).saturating_sub(ms(took)));
                drop(wait);
                // Time between waits does not count.
                advance(SECOND).await;
                let scope = RequestScope::current().expect("the test runs in a scope");
                assert_eq!(scope.time_left(), ms(left));
            }
            assert!(Wait::begin(SECOND).is_none());
        };
        scope.run(work).await;
    }

    #[tokio::test]
    async fn concurrent_waits_end_no_later_and_leave_less_of_the_budget() {
        pause();
        let scope = RequestScope::with_wait_budget(ms(900));
        let work = async {
            let both = [begin(SECOND), begin(SECOND)];
            advance(ms(400)).await;
            assert!(both.iter().all(|wait| wait.left() == ms(500)));
            drop(both);
            assert_eq!(begin(SECOND).limit(), ms(100));
        };
        scope.run(work).await;
    }

    #[tokio::test]
    async fn without_a_request_every_wait_has_its_own_limit() {
        pause();
        for _ in 0..3 {
            let wait = begin(SECOND);
            assert_eq!(wait.limit(), SECOND);
            advance(SECOND).await;
        }
    }
}
