use super::MemoryStorage;
use async_trait::async_trait;
use domain::ports::{PortError, StorageHealth};

#[async_trait]
impl StorageHealth for MemoryStorage {
    async fn check(&self) -> Result<(), PortError> {
        self.transaction().map(drop)
    }
}
