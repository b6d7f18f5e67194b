use crate::client::RedisClient;
use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use domain::ports::{PortError, StorageHealth};

/// Checks that Redis answers a PING within the client's time limit, which must be below one second.
/// In a Cluster, every primary must answer.
#[derive(Clone)]
pub struct RedisHealth(RedisClient);

impl RedisHealth {
    /// Creates a check of the Redis that `client` connects to.
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
