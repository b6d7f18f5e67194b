use std::future::Future;
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

/// Runs whatever changes something to its end, whether or not the client still listens: a connection that is reset must
/// not part a commit from what follows it.
#[derive(Clone, Debug)]
pub struct Mutations {
    runtime: Handle,
    running: TaskTracker,
}

impl Mutations {
    /// Runs them on `runtime`, which must outlive the server: actix gives each of its workers a runtime that ends with the
    /// worker, and would take unfinished tasks with it.
    #[must_use]
    pub fn on(runtime: Handle) -> Self {
        Self {
            runtime,
            running: TaskTracker::new(),
        }
    }

    /// Runs `mutation` as a task of its own and waits for it.
    ///
    /// # Panics
    /// When `mutation` does.
    pub async fn run<F>(&self, mutation: F) -> F::Output
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let task = self.running.spawn_on(mutation.in_current_span(), &self.runtime);
        task.await.expect("only a panic ends a task that nobody aborts")
    }

    /// Waits until every mutation has ended. New ones still run; call this when no more requests come.
    pub async fn drain(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::sync::oneshot;

    #[tokio::test]
    async fn a_mutation_outlives_the_client_and_is_drained() {
        let mutations = Mutations::on(Handle::current());
        let (go_on, wait) = oneshot::channel::<()>();
        let (committed, outcome) = oneshot::channel();
        let runner = mutations.clone();
        let client = tokio::spawn(async move {
            runner
                .run(async move {
                    wait.await.expect("the test says go on");
                    committed.send(()).expect("the test listens");
                })
                .await;
        });
        tokio::task::yield_now().await;
        client.abort();
        assert!(client.await.expect_err("aborted").is_cancelled());

        go_on.send(()).expect("the mutation still waits");
        mutations.drain().await;
        assert_eq!(outcome.await, Ok(()));
    }
}
