use crate::{PostgresStorage, tables::clock};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::{DatabaseClock, PortError};

#[async_trait]
impl DatabaseClock for PostgresStorage {
    async fn now(&self) -> Result<DateTime<Utc>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(clock::now(conn)))
            .await
    }
}
