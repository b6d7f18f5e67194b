use crate::{database::PostgresDatabase, tables::roles};
use async_trait::async_trait;
use domain::ports::{PortError, StorageHealth};

/// Whether the server answers.
pub struct PostgresHealth {
    database: PostgresDatabase,
}

impl PostgresHealth {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl StorageHealth for PostgresHealth {
    async fn check(&self) -> Result<(), PortError> {
        self.database
            .read((), |conn, ()| Box::pin(roles::check(conn)))
            .await
    }
}
