use crate::{SqliteDatabase, schema::roles};
use async_trait::async_trait;
use diesel::{QueryDsl, RunQueryDsl};
use domain::ports::{PortError, StorageHealth};
use std::time::Duration;
use tokio::time::timeout;

/// A file on a disk that hangs would keep the answer back for ever.
const TIMEOUT: Duration = Duration::from_millis(900);

/// Whether the file answers.
pub struct SqliteHealth {
    database: SqliteDatabase,
}

impl SqliteHealth {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl StorageHealth for SqliteHealth {
    async fn check(&self) -> Result<(), PortError> {
        // From a table that is always there, so that the file is read and the schema with it.
        let asked = self.database.read(|conn| {
            let names = roles::table.select(roles::name).limit(1);
            Ok(names.load::<String>(conn)?)
        });
        match timeout(TIMEOUT, asked).await {
            Ok(answer) => answer.map(|_| ()),
            Err(late) => Err(PortError::Unavailable(late.into())),
        }
    }
}
