//! Connections that subscribe to a channel, for each topology.

use crate::{connection::CONNECT_BOUND, redis_unavailable::RedisUnavailable, redis_url::Topology};
use deadpool_redis::redis::{
    Client, RedisError,
    aio::{PubSubSink, PubSubStream},
    sentinel::{SentinelClient, SentinelServerType},
};
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicUsize, Ordering},
};
use tokio::{sync::Mutex as AsyncMutex, time::timeout};

/// Opens subscriptions.
pub(crate) struct Listeners {
    servers: Servers,
    last_failure: Mutex<Option<RedisUnavailable>>,
}

/// The servers to subscribe on.
enum Servers {
    Node(Client),
    Sentinel(AsyncMutex<SentinelClient>),
    /// Each node of a Cluster forwards published messages to all others, so any responding node
    /// will do.
    Cluster {
        nodes: Vec<Client>,
        first: AtomicUsize,
    },
}

/// A connection subscribed to one channel.
pub(crate) struct Subscription {
    pub(crate) messages: PubSubStream,
    sink: PubSubSink,
}

impl Listeners {
    pub(crate) fn of(topology: &Topology) -> Result<Self, RedisError> {
        Ok(Self {
            servers: Servers::of(topology)?,
            last_failure: Mutex::default(),
        })
    }

    /// Subscribes to `channel`.
    pub(crate) async fn listen(&self, channel: &str) -> Result<Subscription, RedisUnavailable> {
        let subscribed = self.servers.listen(channel).await;
        *self.failure() = subscribed.as_ref().err().cloned();
        subscribed
    }

    /// Returns why the last attempt to subscribe failed; `None` if it succeeded or there was none.
    pub(crate) fn last_failure(&self) -> Option<RedisUnavailable> {
        self.failure().clone()
    }

    fn failure(&self) -> MutexGuard<'_, Option<RedisUnavailable>> {
        self.last_failure.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Servers {
    fn of(topology: &Topology) -> Result<Self, RedisError> {
        Ok(match topology {
            Topology::Node(node) => Self::Node(Client::open(node.clone())?),
            Topology::Sentinel {
                sentinels,
                service,
                node,
            } => {
                let primary = SentinelServerType::Master;
                let client = SentinelClient::build(sentinels.clone(), service, Some(node.into()), primary)?;
                Self::Sentinel(AsyncMutex::new(client))
            }
            Topology::Cluster(nodes) => {
                let nodes = nodes.iter().map(|node| Client::open(node.clone()));
                Self::Cluster {
                    nodes: nodes.collect::<Result<_, _>>()?,
                    first: AtomicUsize::new(0),
                }
            }
        })
    }

    async fn listen(&self, channel: &str) -> Result<Subscription, RedisUnavailable> {
        match self {
            Self::Node(node) => listen_on(node, channel).await,
            Self::Sentinel(sentinels) => {
                let primary = timeout(CONNECT_BOUND, async {
                    sentinels.lock().await.async_get_client().await
                });
                let primary = primary
                    .await
                    .map_err(|_| RedisUnavailable::TooSlow)?
                    .map_err(RedisUnavailable::Refused)?;
                listen_on(&primary, channel).await
            }
            Self::Cluster { nodes, first } => {
                // Start with another node each time: the last one may have failed.
                let start = first.fetch_add(1, Ordering::Relaxed) % nodes.len();
                let mut last_error = RedisUnavailable::TooSlow;
                for node in nodes.iter().cycle().skip(start).take(nodes.len()) {
                    match listen_on(node, channel).await {
                        Ok(subscription) => return Ok(subscription),
                        Err(error) => last_error = error,
                    }
                }
                Err(last_error)
            }
        }
    }
}

impl Subscription {
    /// Returns whether the server still responds.
    pub(crate) async fn is_alive(&mut self) -> bool {
        matches!(timeout(CONNECT_BOUND, self.sink.ping::<()>()).await, Ok(Ok(())))
    }
}

async fn listen_on(node: &Client, channel: &str) -> Result<Subscription, RedisUnavailable> {
    let listening = timeout(CONNECT_BOUND, async {
        let (mut sink, messages) = node.get_async_pubsub().await?.split();
        sink.subscribe(channel).await?;
        Ok(Subscription { messages, sink })
    });
    listening
        .await
        .map_err(|_| RedisUnavailable::TooSlow)?
        .map_err(RedisUnavailable::Refused)
}
