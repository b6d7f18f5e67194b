use crate::{SqliteStorage, tables::sessions};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, SessionDirectory},
    session::SessionSummary,
    user::UserId,
};

#[async_trait]
impl SessionDirectory for SqliteStorage {
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.database
            .read(move |conn| sessions::list(conn, user, now))
            .await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.database
            .write_alone(move |conn| sessions::remove_dead(conn, before, limit))
            .await
    }
}
