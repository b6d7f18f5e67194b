//! Callers who ask at the same time are asked for together: one statement, one round trip and one process woken on either
//! side serve them all.

use super::snapshots;
use crate::{PostgresDatabase, error::StorageError};
use domain::{caller::SessionSnapshot, session::SessionId};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// The most sessions that one statement asks for.
const LARGEST: usize = 64;
/// How long a statement with room left keeps the next one from starting. Further away, or where it hangs, several are under
/// way at once.
const AT_MOST: Duration = Duration::from_millis(5);

/// What was found of the sessions that were asked for.
pub type Found = HashMap<SessionId, Result<Arc<SessionSnapshot>, Arc<StorageError>>>;
/// What one caller is told.
type Answer = Result<Option<Arc<SessionSnapshot>>, Arc<StorageError>>;

/// Where callers ask.
pub struct Batches(mpsc::Sender<Asked>);

struct Asked {
    session: SessionId,
    tell: oneshot::Sender<Answer>,
}

impl Batches {
    /// Answers on the database's runtime for as long as anybody can ask.
    pub fn start(database: &PostgresDatabase) -> Self {
        let (ask, asked) = mpsc::channel(LARGEST);
        database.runtime().spawn(answer_all(database.clone(), asked));
        Self(ask)
    }

    /// The session as it is after this was called. It may take long, and may be given up at any time.
    pub async fn snapshot(&self, session: SessionId) -> Answer {
        let (tell, told) = oneshot::channel();
        let asked = self.0.send(Asked { session, tell }).await;
        asked.map_err(|_| broken_off())?;
        told.await.map_err(|_| broken_off())?
    }
}

fn broken_off() -> StorageError {
    StorageError::Statement("a read of sessions broke off".into())
}

/// Nobody waits for company: while no statement is under way, the next one asks for whoever is there. Who comes later shares the
/// one after it.
async fn answer_all(database: PostgresDatabase, mut asked: mpsc::Receiver<Asked>) {
    loop {
        let mut batch = Vec::new();
        if asked.recv_many(&mut batch, LARGEST).await == 0 {
            return;
        }
        let is_full = batch.len() == LARGEST;
        let answering = tokio::spawn(answer(database.clone(), batch));
        if !is_full {
            let _ = timeout(AT_MOST, answering).await;
        }
    }
}

async fn answer(database: PostgresDatabase, mut batch: Vec<Asked>) {
    batch.retain(|asked| !asked.tell.is_closed());
    if batch.is_empty() {
        return;
    }
    match find(&database, batch.iter().map(|asked| asked.session).collect()).await {
        // A row that cannot be read at all must not be told to those who asked for others.
        Err(StorageError::Row { .. }) if batch.len() > 1 => {
            for asked in batch {
                let found = find(&database, vec![asked.session]).await;
                tell(asked, &found.map_err(Arc::new));
            }
        }
        found => {
            let found = found.map_err(Arc::new);
            for asked in batch {
                tell(asked, &found);
            }
        }
    }
}

async fn find(database: &PostgresDatabase, sessions: Vec<SessionId>) -> Result<Found, StorageError> {
    let ask = database.read_for_several(sessions, |conn, sessions| Box::pin(snapshots(conn, sessions)));
    ask.await
}

fn tell(asked: Asked, found: &Result<Found, Arc<StorageError>>) {
    let answer = match found {
        Ok(found) => found.get(&asked.session).cloned().transpose(),
        Err(error) => Err(Arc::clone(error)),
    };
    // Whoever has given up is not told.
    let _ = asked.tell.send(answer);
}
