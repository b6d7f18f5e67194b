use crate::{SqliteStorage, tables::rotation};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, Rotated, Sessions},
    session::{Rotation, SessionId, StoredSession},
};

#[async_trait]
impl Sessions for SqliteStorage {
    async fn find(&self, id: SessionId, now: DateTime<Utc>) -> Result<Option<StoredSession>, PortError> {
        self.database
            .read(move |conn| rotation::find(conn, id, now))
            .await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.database
            .write(move |conn| rotation::rotate(conn, &rotation))
            .await
    }
}
