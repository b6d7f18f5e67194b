use super::PortError;
use async_trait::async_trait;

/// Checks whether storage is available.
#[async_trait]
pub trait StorageHealth: Send + Sync {
    /// MUST send a query to storage and return within a second.
    async fn check(&self) -> Result<(), PortError>;
}
