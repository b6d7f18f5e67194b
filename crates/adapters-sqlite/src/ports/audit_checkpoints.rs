use crate::{SqliteStorage, tables::audit_checkpoints};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::StoredCheckpoint,
    ports::{AuditCheckpoints, PortError},
};

#[async_trait]
impl AuditCheckpoints for SqliteStorage {
    async fn newest(&self) -> Result<Option<StoredCheckpoint>, PortError> {
        self.database.read(audit_checkpoints::newest).await
    }

    async fn list(&self) -> Result<Vec<StoredCheckpoint>, PortError> {
        self.database.read(audit_checkpoints::list).await
    }

    async fn store(
        &self,
        checkpoint: StoredCheckpoint,
        replaces_from: DateTime<Utc>,
    ) -> Result<(), PortError> {
        self.database
            .write(move |conn| {
                audit_checkpoints::remove_replaced(conn, replaces_from, checkpoint.number)?;
                audit_checkpoints::insert(conn, &checkpoint)
            })
            .await
    }

    async fn replace_all(&self, checkpoint: StoredCheckpoint) -> Result<(), PortError> {
        self.database
            .write(move |conn| {
                audit_checkpoints::clear(conn)?;
                audit_checkpoints::insert(conn, &checkpoint)
            })
            .await
    }
}
