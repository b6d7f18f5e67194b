use crate::{database::SqliteDatabase, tables::rotation};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Rotated, Sessions},
    session::{Rotation, SessionId, StoredSession},
};

/// Sessions in SQLite, as refresh tokens need them.
pub struct SqliteSessions {
    database: SqliteDatabase,
}

impl SqliteSessions {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Sessions for SqliteSessions {
    async fn find(&self, id: SessionId) -> Result<Option<StoredSession>, PortError> {
        self.database.read(move |conn| rotation::find(conn, id)).await
    }

    async fn rotate(&self, rotation: Rotation) -> Result<Rotated, PortError> {
        self.database
            .write(move |conn| rotation::rotate(conn, &rotation))
            .await
    }
}
