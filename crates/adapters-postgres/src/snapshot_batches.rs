//! Reads the session snapshots that several callers request at the same time in one statement.

use crate::{
    batches::{self, Batches, Bounds},
    database::{Mode, PostgresDatabase},
    error::StorageError,
    tables::snapshots::{self, Found},
};
use domain::{caller::SessionSnapshot, session::SessionId};
use std::sync::Arc;

/// The reply to one caller.
type Answer = Result<Option<Arc<SessionSnapshot>>, Arc<StorageError>>;
type Request = batches::Request<SessionId, Answer>;

/// Accepts requests for snapshots.
pub struct SnapshotBatches(Batches<SessionId, Answer>);

impl SnapshotBatches {
    /// Serves requests on the database's runtime until this is dropped.
    pub fn start(database: &PostgresDatabase) -> Self {
        let serving = database.clone();
        let serve = move |batch| serve(serving.clone(), batch);
        Self(Batches::start(database, Bounds::STANDARD, serve))
    }

    /// Returns the snapshot as of an instant after this call. May take long; dropping the future is
    /// safe.
    pub async fn snapshot(&self, session: SessionId) -> Answer {
        self.0.ask(session).await?
    }
}

async fn serve(database: PostgresDatabase, mut batch: Vec<Request>) {
    batch.retain(|request| !request.is_abandoned());
    if batch.is_empty() {
        return;
    }
    let sessions = batch.iter().map(|request| request.question).collect();
    match find(&database, sessions).await {
        // A row that diesel cannot read fails the whole statement. It must not fail requests for
        // other sessions.
        Err(StorageError::Row { .. }) if batch.len() > 1 => {
            for request in batch {
                let found = find(&database, vec![request.question]).await;
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
        Ok(found) => found.get(&request.question).cloned().transpose(),
        Err(error) => Err(Arc::clone(error)),
    };
    request.reply(answer);
}
