use crate::{database::SqliteDatabase, tables::sessions};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, SessionDirectory},
    session::SessionSummary,
    user::UserId,
};

/// Lists of sessions in SQLite.
pub struct SqliteSessionDirectory {
    database: SqliteDatabase,
}

impl SqliteSessionDirectory {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl SessionDirectory for SqliteSessionDirectory {
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.database
            .read(move |conn| sessions::list(conn, user, now))
            .await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.database
            .write(move |conn| sessions::remove_dead(conn, before, limit))
            .await
    }
}
