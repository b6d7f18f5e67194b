use crate::{
    PostgresStorage,
    tables::{rotation, sessions},
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, Rotated, Sessions},
    session::{Rotation, SessionId, StoredSession},
};

#[async_trait]
impl Sessions for PostgresStorage {
    async fn find(&self, id: SessionId, _now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError> {
        self.database
            .read(id, |conn, id| Box::pin(sessions::find(conn, *id)))
            .await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.database
            .write_at_once(rotation, |conn, rotation| {
                Box::pin(rotation::rotate(conn, rotation))
            })
            .await
    }
}
