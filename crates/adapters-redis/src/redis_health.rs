use crate::client::RedisClient;
use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use domain::ports::{PortError, StorageHealth};

/// Whether Redis answers a PING within the client's bound, which must be below a second; in a Cluster, every primary of it.
#[derive(Clone)]
pub struct RedisHealth(RedisClient);

impl RedisHealth {
    #[must_use]
    pub fn new(client: RedisClient) -> Self {
        Self(client)
    }
}

#[async_trait]
impl StorageHealth for RedisHealth {
    async fn check(&self) -> Result<(), PortError> {
        self.0.query::<()>(&cmd("PING")).await?;
        Ok(())
    }
}
