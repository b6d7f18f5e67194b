use crate::{
    PostgresStorage,
    error::StorageError,
    tables::{rotation, sessions},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, Rotated, Sessions},
    session::{Rotation, SessionId, StoredSession},
};
use tokio::time::timeout_at;

impl PostgresStorage {
    /// Rotates a session in a batch. Returns `None` if that did not change the session.
    async fn rotate_in_batch(&self, rotation: Rotation) -> Result<Option<Rotated>, PortError> {
        let (_wait, limit) = self.database.begin_wait()?;
        let rotating = self.rotation_batches.rotate(rotation, limit.deadline);
        match timeout_at(limit.deadline, rotating).await {
            Ok(answer) => answer.map_err(StorageError::to_port_error),
            Err(late) => Err(limit.passed(late).into()),
        }
    }
}

#[async_trait]
impl Sessions for PostgresStorage {
    async fn find(&self, id: SessionId, _now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError> {
        self.database
            .read(id, |conn, id| Box::pin(sessions::find(conn, *id)))
            .await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        if let Some(rotated) = self.rotate_in_batch(rotation).await? {
            return Ok(rotated);
        }
        self.database
            .write_at_once(rotation, |conn, rotation| {
                Box::pin(rotation::rotate(conn, rotation))
            })
            .await
    }
}
