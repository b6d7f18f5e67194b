use crate::{PostgresDatabase, error::StorageError, schema::roles};
use async_trait::async_trait;
use diesel::QueryDsl;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
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
        self.database.read((), |conn, ()| Box::pin(ask(conn))).await
    }
}

/// From a table that is always there, so that the schema is looked at too.
async fn ask(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let names = roles::table.select(roles::name).limit(1);
    names.load::<String>(conn).await?;
    Ok(())
}
