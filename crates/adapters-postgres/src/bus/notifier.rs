//! Sends notifications, those of concurrent callers together: the commit of a transaction with
//! NOTIFY excludes all others on the server.

use crate::{
    database::{Mode, PostgresDatabase},
    error::StorageError,
    tables::notifications::{self, Notifications},
};
use domain::ports::PortError;
use std::{mem, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// The maximum number of requests that one statement serves.
const MAX_BATCH: usize = 256;
/// How long a statement delays the start of the next one. A hanging connection must not delay
/// messages for longer than their receivers have time to acknowledge them.
const MAX_HEAD_START: Duration = Duration::from_millis(100);

/// Accepts notifications for one channel. Clones share the task that sends them.
#[derive(Clone)]
pub struct Notifier(mpsc::Sender<Request>);

struct Request {
    payloads: Vec<String>,
    reply: oneshot::Sender<Result<(), Arc<StorageError>>>,
}

impl Notifier {
    /// Serves requests on the database's runtime until all clones are dropped.
    pub fn start(database: &PostgresDatabase, channel: &str) -> Self {
        let (sender, requests) = mpsc::channel(MAX_BATCH);
        let serving = serve(database.clone(), channel.to_owned(), requests);
        database.runtime().spawn(serving);
        Self(sender)
    }

    /// Sends all `payloads` in one transaction, in this order. They may be sent twice. They are
    /// sent even if the future is dropped.
    pub async fn notify(&self, payloads: Vec<String>) -> Result<(), PortError> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Request { payloads, reply }).await;
        sent.map_err(|_| interrupted())?;
        let answer = answer.await.map_err(|_| interrupted())?;
        answer.map_err(StorageError::to_port_error)
    }
}

fn interrupted() -> StorageError {
    StorageError::Statement("a notification was interrupted".into())
}

/// Sends notifications until no more requests can arrive. While no statement runs, the next one
/// starts with the requests that have arrived; later requests share the statement after it.
async fn serve(database: PostgresDatabase, channel: String, mut requests: mpsc::Receiver<Request>) {
    loop {
        let mut batch = Vec::new();
        if requests.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        let sending = tokio::spawn(send(database.clone(), channel.clone(), batch));
        let _ = timeout(MAX_HEAD_START, sending).await;
    }
}

async fn send(database: PostgresDatabase, channel: String, mut batch: Vec<Request>) {
    let payloads = batch.iter_mut().flat_map(|it| mem::take(&mut it.payloads));
    let input = Notifications {
        channel,
        payloads: payloads.collect(),
    };
    // Read mode, because the statement can be repeated: a bus may repeat messages.
    let sent = database.run(Mode::Read, input, |conn, input| {
        Box::pin(notifications::send(conn, input))
    });
    let sent = sent.await.map_err(Arc::new);
    for request in batch {
        // Fails if the caller has given up.
        let _ = request.reply.send(sent.clone());
    }
}
