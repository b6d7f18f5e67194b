//! Changing the schema, and reading what ports need before they exist.

use super::PostgresDatabase;
use crate::{
    error::StorageError,
    migration_lock,
    migrations::{self, BlockingConnection, MigrationStatus},
    tables::audit_keys,
};
use diesel::Connection;
use domain::{audit::KeyTrace, ports::PortError};

impl PostgresDatabase {
    /// Applies every missing migration, all of them or none; returns their names, oldest first.
    pub async fn migrate_up(&self) -> Result<Vec<String>, PortError> {
        self.migrate(migrations::up).await
    }

    /// Reverts the newest applied migration, with all that it holds; returns its name, or `None` if
    /// there is none.
    pub async fn migrate_down(&self) -> Result<Option<String>, PortError> {
        self.migrate(migrations::down).await
    }

    /// Returns every migration that this program knows, oldest first.
    pub async fn migration_status(&self) -> Result<Vec<MigrationStatus>, PortError> {
        self.read((), |conn, ()| Box::pin(migrations::status(conn))).await
    }

    /// Returns which audit key the database was used with. Seals nothing. The schema MUST be up to
    /// date.
    pub async fn key_trace(&self) -> Result<KeyTrace, PortError> {
        self.read((), |conn, ()| Box::pin(audit_keys::trace(conn))).await
    }

    /// Does `work` in one transaction while no other program migrates, on its own connection and
    /// without a time limit.
    async fn migrate<R: Send + 'static>(
        &self,
        work: fn(&mut BlockingConnection) -> Result<R, StorageError>,
    ) -> Result<R, PortError> {
        let done = self.apart(move |conn| async move {
            let mut conn = BlockingConnection::from(conn);
            let in_transaction = move || {
                conn.transaction(|conn| {
                    migration_lock::take(conn)?;
                    work(conn)
                })
            };
            // Not block_in_place, as diesel-async's harness does: that needs a runtime with many
            // threads.
            tokio::task::spawn_blocking(in_transaction)
                .await
                .map_err(|error| StorageError::Statement(error.into()))?
        });
        Ok(done.await?)
    }
}
