use crate::{PostgresStorage, tables::audit_checkpoints};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::StoredCheckpoint,
    ports::{AuditCheckpoints, PortError},
};

#[async_trait]
impl AuditCheckpoints for PostgresStorage {
    async fn newest(&self) -> Result<Option<StoredCheckpoint>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(audit_checkpoints::newest(conn)))
            .await
    }

    async fn list(&self) -> Result<Vec<StoredCheckpoint>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(audit_checkpoints::list(conn)))
            .await
    }

    async fn store(
        &self,
        checkpoint: StoredCheckpoint,
        replaces_from: DateTime<Utc>,
    ) -> Result<(), PortError> {
        self.database
            .write((checkpoint, replaces_from), |conn, (checkpoint, from)| {
                Box::pin(async move {
                    audit_checkpoints::remove_replaced(conn, *from, checkpoint.number).await?;
                    audit_checkpoints::insert(conn, checkpoint).await
                })
            })
            .await
    }

    async fn replace_all(&self, checkpoint: StoredCheckpoint) -> Result<(), PortError> {
        self.database
            .write(checkpoint, |conn, checkpoint| {
                Box::pin(async move {
                    audit_checkpoints::clear(conn).await?;
                    audit_checkpoints::insert(conn, checkpoint).await
                })
            })
            .await
    }
}
