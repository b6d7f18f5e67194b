use crate::{database::SqliteDatabase, tables::snapshots};
use async_trait::async_trait;
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
};

/// Session snapshots, each read from SQLite when it is requested.
pub struct SqliteSessionSnapshots {
    database: SqliteDatabase,
}

impl SqliteSessionSnapshots {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl SessionSnapshots for SqliteSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        self.database
            .read(move |conn| snapshots::find(conn, session))
            .await
    }
}
