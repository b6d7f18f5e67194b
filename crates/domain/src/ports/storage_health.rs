use super::PortError;
use async_trait::async_trait;

/// Whether storage answers.
#[async_trait]
pub trait StorageHealth: Send + Sync {
    /// MUST ask the storage itself and answer within a second.
    async fn check(&self) -> Result<(), PortError>;
}
