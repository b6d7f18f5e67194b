//! Calls that run at once, and calls that storage rejects as overloaded.

use crate::contract::prelude::*;
use domain::{changes::ChangeError, ports::PortError};
use tokio::{
    sync::Barrier,
    task::{JoinSet, yield_now},
};

/// Maximum number of attempts of a call that storage rejects as overloaded. Each attempt waits for
/// half a second or more.
const MAX_ATTEMPTS: u32 = 20;

/// Starts all of `calls` at once, and returns their results in any order.
pub(in crate::contract) async fn race<T, Call>(calls: impl IntoIterator<Item = Call>) -> Vec<T>
where
    T: Send + 'static,
    Call: Future<Output = T> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for call in calls {
        let start = Arc::clone(&start);
        running.spawn(async move {
            start.wait().await;
            // The last task to arrive wakes the others on its own thread: queue them again, for
            // idle threads to steal.
            yield_now().await;
            call.await
        });
    }
    running.join_all().await
}

/// Returns the result of `call`. Storage may reject some of many concurrent calls as overloaded,
/// and a rejected call has no effect: it is repeated, as clients do, up to a limit.
pub(in crate::contract) async fn answered<T, Answer>(call: impl Fn() -> Answer) -> T
where
    Answer: Future<Output = Result<T, PortError>>,
{
    for _ in 0..MAX_ATTEMPTS {
        match call().await {
            Err(PortError::Overloaded) => yield_now().await,
            answer => return answer.expect("storage is available"),
        }
    }
    panic!("storage rejected a call {MAX_ATTEMPTS} times");
}

/// Returns the outcome of the command that `call` executes, repeated as in [`answered`].
pub(in crate::contract) async fn decided<T, Answer>(call: impl Fn() -> Answer) -> Result<T, Refusal>
where
    Answer: Future<Output = Result<T, ChangeError>>,
{
    answered(async || match call().await {
        Ok(done) => Ok(Ok(done)),
        Err(ChangeError::Refused(refusal)) => Ok(Err(refusal)),
        Err(ChangeError::Port(error)) => Err(error),
    })
    .await
}

/// Executes `commands` at once at second 10, and returns their results in any order.
pub(in crate::contract) async fn race_commands(
    storage: &CoreStorage,
    commands: impl IntoIterator<Item = Arc<dyn Command>>,
) -> Vec<Result<Applied, Refusal>> {
    race(commands.into_iter().map(|command| {
        let storage = storage.clone();
        async move { execute(&storage, command, context(at(10))).await }
    }))
    .await
}

/// Executes `commands` at once, and asserts that one is applied and that `refusal` is the result of
/// all others.
pub(in crate::contract) async fn assert_one_happens(
    storage: &CoreStorage,
    commands: impl IntoIterator<Item = Arc<dyn Command>>,
    refusal: impl Into<Refusal>,
) {
    let results = race_commands(storage, commands).await;
    let refused = Err(refusal.into());
    assert_eq!(count(&results, Result::is_ok), 1, "{results:?}");
    let others = count(&results, |it| *it == refused);
    assert_eq!(others, results.len() - 1, "{results:?}");
}

/// Returns how many of `results` are `wanted`.
pub(in crate::contract) fn count<T>(results: &[T], wanted: impl Fn(&T) -> bool) -> usize {
    results.iter().filter(|result| wanted(result)).count()
}
