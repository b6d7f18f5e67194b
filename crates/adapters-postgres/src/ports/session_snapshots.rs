use crate::{database::PostgresDatabase, error::StorageError, snapshot_batches::SnapshotBatches};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
    token::TokenIdentity,
};
use std::sync::Arc;
use tokio::time::timeout_at;

/// Session snapshots, each read from Postgres after it was requested, together with others that were.
///
/// Callers wait on a tokio runtime of their own, whose timers MUST be enabled.
pub struct PostgresSessionSnapshots {
    database: PostgresDatabase,
    batches: SnapshotBatches,
}

impl PostgresSessionSnapshots {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        let batches = SnapshotBatches::start(&database);
        Self { database, batches }
    }

    async fn read(&self, session: SessionId) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let (_wait, limit) = self.database.begin_wait()?;
        match timeout_at(limit.deadline, self.batches.snapshot(session)).await {
            Ok(answer) => answer.map_err(StorageError::told_to_one),
            Err(late) => Err(limit.passed(late).into()),
        }
    }
}

#[async_trait]
impl SessionSnapshots for PostgresSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.read(session).await?.map(Arc::unwrap_or_clone))
    }

    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        _now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        self.read(identity.session).await
    }
}
