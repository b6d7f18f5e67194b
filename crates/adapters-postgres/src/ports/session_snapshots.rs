use crate::{PostgresStorage, error::StorageError};
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

impl PostgresStorage {
    async fn read_snapshot(&self, session: SessionId) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        let (_wait, limit) = self.database.begin_wait()?;
        match timeout_at(limit.deadline, self.snapshot_batches.snapshot(session)).await {
            Ok(answer) => answer.map_err(StorageError::to_port_error),
            Err(late) => Err(limit.passed(late).into()),
        }
    }
}

#[async_trait]
impl SessionSnapshots for PostgresStorage {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.read_snapshot(session).await?.map(Arc::unwrap_or_clone))
    }

    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        _now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        self.read_snapshot(identity.session).await
    }
}
