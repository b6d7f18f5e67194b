//! State that the parts of one request share without passing it to each other: the request's id and
//! its wait budget, the time that it may still wait for a database or Redis.
//!
//! The edge opens a [`RequestScope`] for each request. Adapters look it up when they start to wait,
//! on the task that called them; a spawned task has no scope unless it runs [in the current
//! scope](in_current_scope). Code that runs outside of a scope (commands, housekeeping, an
//! embedding program) is limited only by the timeout that the adapters set for each call.

mod wait;

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::task_local;
pub use wait::Wait;

task_local! {
    static CURRENT: RequestScope;
}

/// A request. Clones refer to the same request.
#[derive(Clone, Debug)]
pub struct RequestScope(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: Option<Box<str>>,
    left: Mutex<Duration>,
}

impl RequestScope {
    /// Creates a request that may spend `wait_budget` on all its [waits](Wait) together.
    #[must_use]
    pub fn with_wait_budget(wait_budget: Duration) -> Self {
        Self::new(None, wait_budget)
    }

    /// Creates a request with a wait budget and the id that log lines show.
    #[must_use]
    pub fn identified(id: &str, wait_budget: Duration) -> Self {
        Self::new(Some(id.into()), wait_budget)
    }

    fn new(id: Option<Box<str>>, wait_budget: Duration) -> Self {
        let left = Mutex::new(wait_budget);
        Self(Arc::new(Shared { id, left }))
    }

    /// Returns the request that the current task works for.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// Returns the request's id, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Runs `work` in the scope of this request.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// Returns the rest of the wait budget.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        *self.left()
    }

    fn left(&self) -> MutexGuard<'_, Duration> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs `work` in the scope of the caller's current request, on whichever task the future is
/// polled.
pub fn in_current_scope<F: Future>(work: F) -> impl Future<Output = F::Output> {
    let current = RequestScope::current();
    async move {
        match current {
            Some(scope) => scope.run(work).await,
            None => work.await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT_BUDGET: Duration = Duration::from_secs(1);

    fn current_id() -> Option<String> {
        RequestScope::current()?.id().map(str::to_owned)
    }

    #[tokio::test]
    async fn work_for_a_request_sees_its_id() {
        let named = RequestScope::identified("abc", WAIT_BUDGET);
        assert_eq!(named.run(async { current_id() }).await.as_deref(), Some("abc"));
        let unnamed = RequestScope::with_wait_budget(WAIT_BUDGET);
        assert_eq!(unnamed.run(async { current_id() }).await, None);
    }

    #[tokio::test]
    async fn a_task_sees_the_request_only_when_it_runs_in_its_scope() {
        let scope = RequestScope::identified("abc", WAIT_BUDGET);
        let (alone, given) = scope
            .run(async {
                let alone = tokio::spawn(async { current_id() });
                let given = tokio::spawn(in_current_scope(async { current_id() }));
                (
                    alone.await.expect("the task does not panic"),
                    given.await.expect("the task does not panic"),
                )
            })
            .await;
        assert_eq!((alone, given.as_deref()), (None, Some("abc")));
        assert_eq!(in_current_scope(async { current_id() }).await, None);
    }
}
