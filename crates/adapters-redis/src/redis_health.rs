use crate::{
    client::RedisClient, gcra::Gcra, reconnector::ConnectionState, redis_throttle::TAG,
    redis_unavailable::RedisUnavailable,
};
use async_trait::async_trait;
use deadpool_redis::redis::cmd;
use domain::ports::{PortError, StorageHealth};
use std::{error::Error, sync::Arc};
use thiserror::Error;
use tokio::task::{AbortHandle, spawn};

/// What a service uses in Redis.
#[derive(Clone, Debug)]
pub struct RedisUse {
    /// The prefix of the [throttle](crate::RedisThrottle)'s keys; `None` without it.
    pub throttle_prefix: Option<String>,
    /// The channel of the [bus](crate::RedisBus).
    pub channel: String,
}

/// Checks that Redis executes what the service uses, within the client's time limit, which must be
/// below one second. A check writes no key.
///
/// Each new connection is checked too, and a failure is logged.
pub struct RedisHealth {
    probes: Arc<Probes>,
    task: AbortHandle,
}

impl RedisHealth {
    /// Starts to check new connections on the current runtime, until this value is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    #[must_use]
    pub fn start(client: RedisClient, used: RedisUse) -> Self {
        let probes = Arc::new(Probes {
            client,
            gcra: Gcra::new(),
            used,
        });
        let task = spawn(check_connections(Arc::clone(&probes))).abort_handle();
        Self { probes, task }
    }
}

impl Drop for RedisHealth {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[async_trait]
impl StorageHealth for RedisHealth {
    async fn check(&self) -> Result<(), PortError> {
        self.probes.check_commands().await?;
        Ok(self.probes.check_subscription()?)
    }
}

/// Redis rejected a probe or did not respond.
#[derive(Debug, Error)]
#[error("{what} failed")]
struct ProbeFailed {
    what: String,
    source: RedisUnavailable,
}

impl From<ProbeFailed> for PortError {
    fn from(failed: ProbeFailed) -> Self {
        match failed.source {
            RedisUnavailable::NoTimeLeft => Self::Overloaded,
            _ => Self::Unavailable(Box::new(failed)),
        }
    }
}

struct Probes {
    client: RedisClient,
    gcra: Gcra,
    used: RedisUse,
}

impl Probes {
    /// Sends what the service sends, all at once. In a Cluster, every primary must answer the PING.
    async fn check_commands(&self) -> Result<(), PortError> {
        let ping = cmd("PING");
        let (answered, counted, written, published) = tokio::join!(
            self.client.query::<()>(&ping),
            self.count(),
            self.write(),
            self.publish()
        );
        answered?;
        counted?;
        written?;
        Ok(published?)
    }

    /// Runs the throttle's script so that it reads a budget and takes nothing.
    async fn count(&self) -> Result<(), ProbeFailed> {
        let Some(key) = self.throttle_key() else {
            return Ok(());
        };
        let read = self.gcra.read(&self.client, &key).await;
        read.map_err(|source| self.counting_failed(source))
    }

    /// Sends the script's write on condition that the key exists, which it does not. Redis rejects
    /// it if Redis is read-only or full, or if the user lacks a right. Otherwise nothing happens.
    async fn write(&self) -> Result<(), ProbeFailed> {
        let Some(key) = self.throttle_key() else {
            return Ok(());
        };
        let mut set = cmd("SET");
        set.arg(key).arg(0).arg("XX").arg("PX").arg(1);
        let written = self.client.query::<()>(&set).await;
        written.map_err(|source| self.counting_failed(source))
    }

    /// Publishes an empty message, which subscribers ignore.
    async fn publish(&self) -> Result<(), ProbeFailed> {
        let mut publish = cmd("PUBLISH");
        publish.arg(&self.used.channel).arg("");
        let published = self.client.query::<()>(&publish).await;
        published.map_err(|source| ProbeFailed {
            what: format!("publishing on the channel {}", self.used.channel),
            source,
        })
    }

    fn check_subscription(&self) -> Result<(), ProbeFailed> {
        match self.client.listeners().last_failure() {
            None => Ok(()),
            Some(source) => Err(ProbeFailed {
                what: format!("subscribing to the channel {}", self.used.channel),
                source,
            }),
        }
    }

    /// A key that no attempt is counted in.
    fn throttle_key(&self) -> Option<String> {
        let prefix = self.used.throttle_prefix.as_ref()?;
        Some(format!("{prefix}{TAG}:probe"))
    }

    fn counting_failed(&self, source: RedisUnavailable) -> ProbeFailed {
        let prefix = self.used.throttle_prefix.as_deref().unwrap_or_default();
        ProbeFailed {
            what: format!("counting attempts in keys {prefix}{TAG}:*"),
            source,
        }
    }
}

/// Checks each new connection and logs what fails.
async fn check_connections(probes: Arc<Probes>) {
    let mut states = probes.client.states();
    while states
        .wait_for(|state| matches!(state, ConnectionState::Up { .. }))
        .await
        .is_ok()
    {
        if let Err(error) = probes.check_commands().await {
            tracing::warn!(
                error = &error as &dyn Error,
                "Redis is connected but does not execute what this service needs"
            );
        }
        if states.changed().await.is_err() {
            return;
        }
    }
}
