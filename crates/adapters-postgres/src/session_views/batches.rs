//! Callers who ask at the same time are asked for together: one statement, one round trip and one process woken on either
//! side serve them all.

use super::views;
use crate::{PostgresDatabase, error::StorageError};
use domain::{caller::SessionView, session::SessionId};
use std::{collections::HashMap, sync::Arc};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// Statements that are under way at once: more would only make the batches smaller.
pub const LANES: usize = 4;
/// The most sessions that one statement asks for.
const LARGEST: usize = 64;
/// Callers who wait to be asked for. Further ones wait for room among them.
const ROOM: usize = 1_024;

/// What was found of the sessions that were asked for.
pub type Found = HashMap<SessionId, Result<SessionView, Arc<StorageError>>>;
/// What one caller is told.
type Answer = Result<Option<SessionView>, Arc<StorageError>>;

/// Where callers ask.
pub struct Batches(mpsc::Sender<Asked>);

struct Asked {
    session: SessionId,
    tell: oneshot::Sender<Answer>,
}

impl Batches {
    /// Answers on the database's runtime for as long as anybody can ask.
    pub fn start(database: &PostgresDatabase) -> Self {
        let (ask, asked) = mpsc::channel(ROOM);
        database.runtime().spawn(answer_all(database.clone(), asked));
        Self(ask)
    }

    /// The session as it is after this was called. It may take long, and may be given up at any time.
    pub async fn view(&self, session: SessionId) -> Answer {
        let (tell, told) = oneshot::channel();
        let asked = self.0.send(Asked { session, tell }).await;
        asked.map_err(|_| nobody_answers())?;
        told.await.map_err(|_| nobody_answers())?
    }
}

fn nobody_answers() -> Arc<StorageError> {
    Arc::new(StorageError::Statement("a read of sessions broke off".into()))
}

/// A lane that is free takes whoever is there, so nobody waits for company. While every lane is taken it comes by itself.
async fn answer_all(database: PostgresDatabase, mut asked: mpsc::Receiver<Asked>) {
    let lanes = Arc::new(Semaphore::new(LANES));
    loop {
        let lane = Arc::clone(&lanes).acquire_owned().await;
        let lane = lane.expect("nobody closes the lanes");
        let mut batch = Vec::new();
        if asked.recv_many(&mut batch, LARGEST).await == 0 {
            return;
        }
        let database = database.clone();
        tokio::spawn(async move {
            answer(&database, batch).await;
            drop(lane);
        });
    }
}

async fn answer(database: &PostgresDatabase, mut batch: Vec<Asked>) {
    batch.retain(|asked| !asked.tell.is_closed());
    if batch.is_empty() {
        return;
    }
    let sessions: Vec<SessionId> = batch.iter().map(|asked| asked.session).collect();
    let found = database
        .read_for_several(sessions, |conn, sessions| Box::pin(views(conn, sessions)))
        .await
        .map_err(Arc::new);
    for asked in batch {
        let answer = match &found {
            Ok(found) => found.get(&asked.session).cloned().transpose(),
            Err(error) => Err(Arc::clone(error)),
        };
        // Whoever has given up is not told.
        let _ = asked.tell.send(answer);
    }
}
