use crate::error::StorageError;
use diesel::SqliteConnection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use thiserror::Error;
use tokio::sync::oneshot;

/// Work for which a caller waits. The writer can run it repeatedly.
pub trait Operation: Send {
    /// Does the work within a transaction, and keeps its result.
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StorageError>;

    /// Sends to the caller the result of the last run, if the work is `done` and committed, or else
    /// the error.
    fn answer(self: Box<Self>, done: Result<(), StorageError>);
}

/// The work of one caller.
pub struct Pending<R, W> {
    work: W,
    result: Option<R>,
    caller: oneshot::Sender<Result<R, StorageError>>,
}

#[derive(Debug, Error)]
#[error("the operation panicked")]
struct Panicked;

impl<R, W> Pending<R, W> {
    /// Creates an operation that does `work` for `caller`.
    pub fn new(work: W, caller: oneshot::Sender<Result<R, StorageError>>) -> Self {
        Self {
            work,
            result: None,
            caller,
        }
    }
}

impl<R, W> Operation for Pending<R, W>
where
    R: Send,
    W: Fn(&mut SqliteConnection) -> Result<R, StorageError> + Send,
{
    /// Reports a panic as an error, since it must not end the thread. The transaction or the
    /// savepoint is then rolled back, so nothing remains of what the work left half-done.
    fn run(&mut self, conn: &mut SqliteConnection) -> Result<(), StorageError> {
        let done = catch_unwind(AssertUnwindSafe(|| (self.work)(conn)));
        self.result = Some(done.map_err(|_payload| StorageError::Statement(Panicked.into()))??);
        Ok(())
    }

    fn answer(self: Box<Self>, done: Result<(), StorageError>) {
        let Self { result, caller, .. } = *self;
        let answer = done.map(|()| result.expect("the work has run, since it is done"));
        // A caller that stopped waiting needs no answer.
        let _ = caller.send(answer);
    }
}
