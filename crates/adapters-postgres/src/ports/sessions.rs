use crate::{
    database::PostgresDatabase,
    tables::{rotation, sessions},
};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Rotated, Sessions},
    session::{Rotation, SessionId, StoredSession},
};

/// Sessions in Postgres, as refresh tokens need them.
pub struct PostgresSessions {
    database: PostgresDatabase,
}

impl PostgresSessions {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Sessions for PostgresSessions {
    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
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
