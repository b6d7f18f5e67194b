use crate::{client::RedisClient, subscription::RedisSubscription};
use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use domain::ports::PortError;
use session_cache::ports::{BusSubscription, InvalidationBus};
use std::sync::Arc;

/// An invalidation bus on one Redis pub/sub channel. A Redis Cluster forwards each message to all
/// of its nodes, so replicas may connect to different nodes.
#[derive(Clone)]
pub struct RedisBus {
    client: RedisClient,
    channel: Arc<str>,
}

impl RedisBus {
    /// Creates the bus on `channel`. All logical databases of a Redis server share its channels.
    #[must_use]
    pub fn new(client: RedisClient, channel: &str) -> Self {
        Self {
            client,
            channel: channel.into(),
        }
    }
}

#[async_trait]
impl InvalidationBus for RedisBus {
    #[tracing::instrument(skip_all)]
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        let mut publish = cmd("PUBLISH");
        publish.arg(&*self.channel).arg(message);
        self.client.query::<()>(&publish).await?;
        Ok(())
    }

    #[tracing::instrument(skip_all)]
    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError> {
        let listeners = Arc::clone(self.client.listeners());
        let subscription = RedisSubscription::open(listeners, Arc::clone(&self.channel)).await?;
        Ok(Box::new(subscription))
    }
}
