//! Calls that run at once, and calls that storage turns away.

use super::execute;
use crate::{
    CoreStorage,
    fixtures::{at, context},
};
use domain::{
    changes::{ChangeError, Command, Refusal},
    ports::PortError,
};
use std::sync::Arc;
use tokio::{
    sync::Barrier,
    task::{JoinSet, yield_now},
};

/// How often a call is repeated for which storage is too busy. Each has waited for half a second
/// and more.
const MAX_ATTEMPTS: u32 = 20;

/// Starts all of `calls` at once, and returns their results in no order.
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

/// Returns the result of `call`. Storage may turn away some of many concurrent calls, for which
/// nothing has happened then: they are repeated, as clients do, up to a limit.
pub(in crate::contract) async fn answered<T, Answer>(call: impl Fn() -> Answer) -> T
where
    Answer: Future<Output = Result<T, PortError>>,
{
    for _ in 0..MAX_ATTEMPTS {
        match call().await {
            Err(PortError::Overloaded) => yield_now().await,
            answer => return answer.expect("storage answers"),
        }
    }
    panic!("storage turned a call away {MAX_ATTEMPTS} times");
}

/// Returns what `call` made of a command, repeated as in [`answered`].
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

/// Executes `commands` at once at second 10, and asserts that one happens and all others are refused by `refusal`.
pub(in crate::contract) async fn assert_one_happens(
    storage: &CoreStorage,
    commands: impl IntoIterator<Item = Arc<dyn Command>>,
    refusal: impl Into<Refusal>,
) {
    let results = race(commands.into_iter().map(|command| {
        let storage = storage.clone();
        async move { execute(&storage, command, context(at(10))).await.map(drop) }
    }))
    .await;
    let refused = Err(refusal.into());
    assert_eq!(count(&results, Result::is_ok), 1, "{results:?}");
    assert_eq!(
        count(&results, |it| *it == refused),
        results.len() - 1,
        "{results:?}"
    );
}

/// How many of `results` are `wanted`.
pub(in crate::contract) fn count<T>(results: &[T], wanted: impl Fn(&T) -> bool) -> usize {
    results.iter().filter(|result| wanted(result)).count()
}
