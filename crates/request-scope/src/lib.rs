//! What the parts of one request share without handing it to each other: its id, how much longer the request may wait for a
//! database or for Redis, and whether it was let into a queue before.
//!
//! The edge opens a [`RequestScope`] for each request. Adapters look for it when they begin to wait, on the task that asked
//! them: a task that is spawned has none unless it is given one ([`in_current_scope`]). Whatever runs outside of a scope
//! (commands, housekeeping, a program of one's own) has the adapters' own limits, call by call.

mod wait;

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task_local;
pub use wait::Wait;

task_local! {
    static CURRENT: RequestScope;
}

/// One request. Clones are the same request.
#[derive(Clone, Debug)]
pub struct RequestScope(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    id: Option<Box<str>>,
    left: Mutex<Duration>,
    is_let_in: AtomicBool,
}

impl RequestScope {
    /// A request that may spend so much on all its [waits](Wait) together.
    #[must_use]
    pub fn with_patience(patience: Duration) -> Self {
        Self::new(None, patience)
    }

    /// The same, for a request that the log is to name by its id.
    #[must_use]
    pub fn identified(id: &str, patience: Duration) -> Self {
        Self::new(Some(id.into()), patience)
    }

    fn new(id: Option<Box<str>>, patience: Duration) -> Self {
        Self(Arc::new(Shared {
            id,
            left: Mutex::new(patience),
            is_let_in: AtomicBool::new(false),
        }))
    }

    /// The request that the current task works for.
    #[must_use]
    pub fn current() -> Option<Self> {
        CURRENT.try_with(Clone::clone).ok()
    }

    /// The id, if it has one.
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        self.0.id.as_deref()
    }

    /// Does `work` for this request.
    pub async fn run<F: Future>(self, work: F) -> F::Output {
        CURRENT.scope(self, work).await
    }

    /// How long it may still wait.
    #[must_use]
    pub fn time_left(&self) -> Duration {
        *self.left()
    }

    /// Whether it was let into a queue that turns requests away. Who has waited there once must not be turned away at a
    /// second time: then the wait was for nothing.
    #[must_use]
    pub fn is_let_in(&self) -> bool {
        self.0.is_let_in.load(Ordering::Relaxed)
    }

    /// Notes that it was.
    pub fn let_in(&self) {
        self.0.is_let_in.store(true, Ordering::Relaxed);
    }

    fn left(&self) -> MutexGuard<'_, Duration> {
        self.0.left.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `work`, done for the request of whoever calls this, on whichever task it will run.
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

    #[tokio::test]
    async fn whoever_works_for_a_request_knows_its_id() {
        let id = async || RequestScope::current().and_then(|scope| scope.id().map(str::to_owned));
        let patience = Duration::from_secs(1);
        let named = RequestScope::identified("abc", patience);
        assert_eq!(named.run(id()).await.as_deref(), Some("abc"));
        assert_eq!(RequestScope::with_patience(patience).run(id()).await, None);
    }

    #[tokio::test]
    async fn a_task_knows_the_request_only_when_it_is_given_it() {
        let scope = RequestScope::with_patience(Duration::from_secs(1));
        let seen = async || RequestScope::current().is_some_and(|scope| scope.is_let_in());
        let (here, alone, given) = scope
            .run(async {
                RequestScope::current().expect("this one").let_in();
                let alone = tokio::spawn(async move { seen().await });
                let given = tokio::spawn(in_current_scope(async move { seen().await }));
                (seen().await, alone.await.ok(), given.await.ok())
            })
            .await;
        assert_eq!((here, alone, given), (true, Some(false), Some(true)));
        assert!(!in_current_scope(seen()).await, "nobody's");
    }
}
