use super::MemoryStorage;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    audit::StoredCheckpoint,
    ports::{AuditCheckpoints, PortError},
};

#[async_trait]
impl AuditCheckpoints for MemoryStorage {
    async fn newest(&self) -> Result<Option<StoredCheckpoint>, PortError> {
        let tables = self.transaction()?;
        let newest = tables.checkpoints.values().next_back();
        Ok(newest.cloned())
    }

    async fn list(&self) -> Result<Vec<StoredCheckpoint>, PortError> {
        Ok(self.transaction()?.checkpoints.values().cloned().collect())
    }

    async fn store(
        &self,
        checkpoint: StoredCheckpoint,
        replaces_from: DateTime<Utc>,
    ) -> Result<(), PortError> {
        let checkpoints = &mut self.transaction()?.checkpoints;
        let number = checkpoint.number;
        checkpoints.retain(|_, other| other.at < replaces_from || other.number >= number);
        checkpoints.entry(number).or_insert(checkpoint);
        Ok(())
    }

    async fn replace_all(&self, checkpoint: StoredCheckpoint) -> Result<(), PortError> {
        self.transaction()?.checkpoints = [(checkpoint.number, checkpoint)].into();
        Ok(())
    }
}
