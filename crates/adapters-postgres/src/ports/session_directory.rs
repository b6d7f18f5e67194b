use crate::{PostgresStorage, tables::sessions};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    ports::{PortError, SessionDirectory},
    session::SessionSummary,
    user::UserId,
};

#[async_trait]
impl SessionDirectory for PostgresStorage {
    async fn list(&self, user: UserId, now: DateTime<Utc>) -> Result<Vec<SessionSummary>, PortError> {
        self.database
            .read((user, now), |conn, (user, now)| {
                Box::pin(sessions::list(conn, *user, *now))
            })
            .await
    }

    async fn remove_dead(&self, before: DateTime<Utc>, limit: u32) -> Result<u64, PortError> {
        self.database
            .write((before, limit), |conn, (before, limit)| {
                Box::pin(sessions::remove_dead(conn, *before, *limit))
            })
            .await
    }
}
