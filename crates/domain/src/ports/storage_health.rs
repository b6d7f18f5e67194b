use super::PortError;
use async_trait::async_trait;

/// Checks whether storage is available.
#[async_trait]
pub trait StorageHealth: Send + Sync {
    /// Sends a query to storage. It MUST return within a second.
    async fn check(&self) -> Result<(), PortError>;
}
