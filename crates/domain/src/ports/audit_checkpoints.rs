use super::PortError;
use crate::audit::StoredCheckpoint;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// Stores the checkpoints of the audit log, next to the log.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditCheckpoints: Send + Sync {
    /// Returns the checkpoint that covers the most events, as stored.
    async fn newest(&self) -> Result<Option<StoredCheckpoint>, PortError>;

    /// Returns all checkpoints as stored, lowest number first.
    async fn list(&self) -> Result<Vec<StoredCheckpoint>, PortError>;

    /// Stores `checkpoint`, and removes every other one that was stored at `replaces_from` or later
    /// and covers fewer events, both or neither. A checkpoint of the same event MUST be kept as it
    /// is.
    async fn store(
        &self,
        checkpoint: StoredCheckpoint,
        replaces_from: DateTime<Utc>,
    ) -> Result<(), PortError>;

    /// Stores `checkpoint` and removes all others, both or neither.
    async fn replace_all(&self, checkpoint: StoredCheckpoint) -> Result<(), PortError>;
}
