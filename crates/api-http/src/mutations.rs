use crate::problem::Problem;
use request_scope::in_current_scope;
use std::{any::Any, future::Future};
use tokio::{runtime::Handle, task::JoinError};
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Maximum number of characters of a panic message in the log.
const MAX_PANIC_TEXT: usize = 300;

/// Runs each mutation to completion, even if the client disconnects: a reset connection must not
/// separate a commit from the steps that follow it.
#[derive(Clone, Debug)]
pub struct Mutations {
    runtime: Handle,
    running: TaskTracker,
}

impl Mutations {
    /// Runs mutations on `runtime`, which must outlive the server. Each actix worker has its own
    /// runtime, which ends with the worker and would cancel unfinished tasks.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self {
            runtime,
            running: TaskTracker::new(),
        }
    }

    /// Runs `mutation` as a separate task of the same request and waits for it. If it panics, the
    /// response is a problem: the client must not mistake a bug for a network fault and retry at
    /// once.
    pub(crate) async fn run<T, E>(
        &self,
        mutation: impl Future<Output = Result<T, E>> + Send + 'static,
    ) -> Result<T, Problem>
    where
        T: Send + 'static,
        E: Into<Problem> + Send + 'static,
    {
        let task = self
            .running
            .spawn_on(in_current_scope(mutation).in_current_span(), &self.runtime);
        match task.await {
            Ok(outcome) => outcome.map_err(E::into),
            Err(error) => Err(unfinished(error)),
        }
    }

    /// Waits until every mutation has finished. Call it once no more requests arrive.
    pub async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

/// The problem for a mutation that did not finish.
fn unfinished(error: JoinError) -> Problem {
    let cause = match error.try_into_panic() {
        Ok(panic) => panic_text(panic.as_ref()),
        Err(error) => error.to_string(),
    };
    tracing::error!(cause, "mutation aborted");
    Problem::internal()
}

/// Returns a panic's message on one line, truncated. The panic hook has written it to standard
/// error.
fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message");
    text.escape_debug().take(MAX_PANIC_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::{ResponseError, http::StatusCode};
    use request_scope::RequestScope;
    use std::time::Duration;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_mutation_survives_a_disconnect_and_is_drained() {
        let mutations = Mutations::on(Handle::current());
        let (go_on, wait) = oneshot::channel::<()>();
        let (committed, outcome) = oneshot::channel();
        let runner = mutations.clone();
        let client = tokio::spawn(async move {
            runner
                .run(async move {
                    wait.await.expect("the test lets the mutation continue");
                    committed.send(()).expect("the test still receives the commit");
                    Ok::<_, Problem>(())
                })
                .await
        });
        tokio::task::yield_now().await;
        client.abort();
        assert!(client.await.expect_err("the task was aborted").is_cancelled());

        go_on.send(()).expect("the mutation still waits");
        mutations.drain().await;
        assert_eq!(outcome.await, Ok(()));
    }

    #[tokio::test]
    async fn a_mutation_runs_in_the_scope_of_its_request() {
        let mutations = Mutations::on(Handle::current());
        let mutation = async { Ok::<_, Problem>(RequestScope::current().map(|it| it.time_left())) };
        let wait_budget = Duration::from_millis(900);
        let seen = RequestScope::with_wait_budget(wait_budget)
            .run(mutations.run(mutation))
            .await;
        assert_eq!(seen.ok().flatten(), Some(wait_budget));
    }

    #[tokio::test]
    async fn after_a_panic_the_next_mutation_runs() {
        let mutations = Mutations::on(Handle::current());
        let broken = mutations.run::<(), Problem>(async { panic!("a bug") });
        let problem = broken.await.expect_err("the mutation panicked");
        assert_eq!(problem.status_code(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(problem.code(), "internal");

        let fine = mutations.run(async { Ok::<_, Problem>(7) }).await;
        assert_eq!(fine.ok(), Some(7));
    }

    #[test]
    fn panic_messages_are_logged_on_one_line_and_truncated() {
        let texts: [(Box<dyn Any + Send>, &str); 3] = [
            (Box::new("a bug"), "a bug"),
            (Box::new("one\ntwo".to_owned()), "one\\ntwo"),
            (Box::new(7), "a panic without a message"),
        ];
        for (panic, expected) in texts {
            assert_eq!(panic_text(panic.as_ref()), expected);
        }
        let long: Box<dyn Any + Send> = Box::new("x".repeat(10_000));
        assert_eq!(panic_text(long.as_ref()).len(), MAX_PANIC_TEXT);
    }
}
