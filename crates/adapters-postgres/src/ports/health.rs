use crate::{PostgresStorage, tables::roles};
use async_trait::async_trait;
use domain::ports::{PortError, StorageHealth};

#[async_trait]
impl StorageHealth for PostgresStorage {
    async fn check(&self) -> Result<(), PortError> {
        self.database
            .read((), |conn, ()| Box::pin(roles::check(conn)))
            .await
    }
}
