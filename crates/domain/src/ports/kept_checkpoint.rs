use super::PortError;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// A place outside the database that keeps the newest checkpoint, so that an older copy of the
/// database is recognised.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait KeptCheckpoint: Send + Sync {
    /// Returns the kept note, if there is one.
    async fn load(&self) -> Result<Option<String>, PortError>;

    /// Returns when the kept note was last replaced; `None` if there is none.
    async fn kept_at(&self) -> Result<Option<DateTime<Utc>>, PortError>;

    /// Replaces the kept note with `note`. After a crash, one of the two MUST be complete.
    async fn keep(&self, note: &str) -> Result<(), PortError>;
}

/// Keeps nothing. An older copy of the database is then recognised only by its own checkpoints.
pub struct NothingKept;

#[async_trait]
impl KeptCheckpoint for NothingKept {
    async fn load(&self) -> Result<Option<String>, PortError> {
        Ok(None)
    }

    async fn kept_at(&self) -> Result<Option<DateTime<Utc>>, PortError> {
        Ok(None)
    }

    async fn keep(&self, _note: &str) -> Result<(), PortError> {
        Ok(())
    }
}
