//! Combines the reads of session snapshots that several callers request at the same time into one
//! statement, which takes one round trip.

use crate::{
    database::{Mode, PostgresDatabase},
    error::StorageError,
    tables::snapshots::{self, Found},
};
use domain::{caller::SessionSnapshot, session::SessionId};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// The maximum number of sessions that one statement reads.
const MAX_BATCH: usize = 64;
/// How long a statement that is not full delays the start of the next one. Over a slower
/// connection, several statements run at once.
const MAX_HEAD_START: Duration = Duration::from_millis(5);

/// The reply to one caller.
type Answer = Result<Option<Arc<SessionSnapshot>>, Arc<StorageError>>;

/// Accepts requests for snapshots.
pub struct SnapshotBatches(mpsc::Sender<Request>);

struct Request {
    session: SessionId,
    reply: oneshot::Sender<Answer>,
}

impl SnapshotBatches {
    /// Serves requests on the database's runtime until this is dropped.
    pub fn start(database: &PostgresDatabase) -> Self {
        let (sender, requests) = mpsc::channel(MAX_BATCH);
        database.runtime().spawn(serve(database.clone(), requests));
        Self(sender)
    }

    /// Returns the snapshot as of an instant after this call. May take long; dropping the future is
    /// safe.
    pub async fn snapshot(&self, session: SessionId) -> Answer {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(Request { session, reply }).await;
        sent.map_err(|_| interrupted())?;
        answer.await.map_err(|_| interrupted())?
    }
}

fn interrupted() -> StorageError {
    StorageError::Statement("a read of sessions was interrupted".into())
}

/// Reads snapshots until no more requests can arrive. A request does not wait for others to join
/// it: while no statement runs, the next one starts with the requests that have arrived. Later
/// requests share the statement after it.
async fn serve(database: PostgresDatabase, mut requests: mpsc::Receiver<Request>) {
    loop {
        let mut batch = Vec::new();
        if requests.recv_many(&mut batch, MAX_BATCH).await == 0 {
            return;
        }
        let is_full = batch.len() == MAX_BATCH;
        let answering = tokio::spawn(answer(database.clone(), batch));
        if !is_full {
            let _ = timeout(MAX_HEAD_START, answering).await;
        }
    }
}

async fn answer(database: PostgresDatabase, mut batch: Vec<Request>) {
    batch.retain(|request| !request.reply.is_closed());
    if batch.is_empty() {
        return;
    }
    let sessions = batch.iter().map(|request| request.session).collect();
    match find(&database, sessions).await {
        // A row that diesel cannot read fails the whole statement. It must not fail requests for
        // other sessions.
        Err(StorageError::Row { .. }) if batch.len() > 1 => {
            for request in batch {
                let found = find(&database, vec![request.session]).await;
                reply(request, &found.map_err(Arc::new));
            }
        }
        found => {
            let found = found.map_err(Arc::new);
            for request in batch {
                reply(request, &found);
            }
        }
    }
}

async fn find(database: &PostgresDatabase, sessions: Vec<SessionId>) -> Result<Found, StorageError> {
    let found = database.run(Mode::Read, sessions, |conn, sessions| {
        Box::pin(snapshots::find_several(conn, sessions))
    });
    found.await
}

fn reply(request: Request, found: &Result<Found, Arc<StorageError>>) {
    let answer = match found {
        Ok(found) => found.get(&request.session).cloned().transpose(),
        Err(error) => Err(Arc::clone(error)),
    };
    // Fails if the caller has given up.
    let _ = request.reply.send(answer);
}
