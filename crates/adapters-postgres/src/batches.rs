//! Combines requests that arrive at the same time, so that one statement serves several of them.

use crate::{database::PostgresDatabase, error::StorageError};
use std::time::Duration;
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Bounds batches.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Maximum number of requests in a batch.
    pub requests: usize,
    /// How long a batch that is not full delays the start of the next one. If it takes longer,
    /// several batches run at once.
    pub head_start: Duration,
}

impl Bounds {
    /// The bounds of statements that callers wait for.
    pub const STANDARD: Self = Self {
        requests: 64,
        head_start: Duration::from_millis(5),
    };
}

/// Accepts requests of type `Q`, which are answered by values of type `A`.
pub struct Batches<Q, A>(mpsc::Sender<Request<Q, A>>);

/// A request of a batch.
pub struct Request<Q, A> {
    pub question: Q,
    answer: oneshot::Sender<A>,
}

impl<Q, A> Request<Q, A> {
    /// Returns whether the caller has given up.
    pub fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Sends the answer to the caller, unless it has given up.
    pub fn reply(self, answer: A) {
        let _ = self.answer.send(answer);
    }
}

impl<Q: Send + 'static, A: Send + 'static> Batches<Q, A> {
    /// Answers batches within `bounds` by `serve`, on the database's runtime until this is dropped.
    pub fn start<F>(
        database: &PostgresDatabase,
        bounds: Bounds,
        serve: impl Fn(Vec<Request<Q, A>>) -> F + Send + 'static,
    ) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, requests) = mpsc::channel(bounds.requests);
        database.runtime().spawn(run(requests, bounds, serve));
        Self(sender)
    }

    /// Returns the answer to `question`, from a batch that starts after this call. May take long.
    /// Dropping the future is safe; the request may be served nevertheless.
    pub async fn ask(&self, question: Q) -> Result<A, StorageError> {
        let (sender, answer) = oneshot::channel();
        let request = Request {
            question,
            answer: sender,
        };
        let sent = self.0.send(request).await;
        sent.map_err(|_| interrupted())?;
        answer.await.map_err(|_| interrupted())
    }
}

fn interrupted() -> StorageError {
    StorageError::Statement("a batch of requests was interrupted".into())
}

/// Serves batches until no more requests can arrive. A request does not wait for others to join it:
/// while no batch runs, the next one starts with the requests that have arrived. Later requests
/// share the batch after it.
async fn run<Q, A, F>(
    mut requests: mpsc::Receiver<Request<Q, A>>,
    bounds: Bounds,
    serve: impl Fn(Vec<Request<Q, A>>) -> F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        let mut batch = Vec::new();
        if requests.recv_many(&mut batch, bounds.requests).await == 0 {
            return;
        }
        let is_full = batch.len() == bounds.requests;
        let serving = tokio::spawn(serve(batch));
        if !is_full {
            let _ = timeout(bounds.head_start, serving).await;
        }
    }
}
