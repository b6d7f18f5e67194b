//! Connections that listen to a channel, whatever Redis they lead to.

use crate::{connection::CONNECT_BOUND, redis_unavailable::RedisUnavailable, redis_url::Topology};
use deadpool_redis::redis::{
    Client, RedisError,
    aio::{PubSubSink, PubSubStream},
    sentinel::{SentinelClient, SentinelServerType},
};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::{sync::Mutex, time::timeout};

/// Opens connections that listen.
pub(crate) enum Listeners {
    Node(Client),
    Sentinel(Mutex<SentinelClient>),
    /// Every node of a Cluster hears what is published on any other, so one that answers will do.
    Cluster {
        nodes: Vec<Client>,
        first: AtomicUsize,
    },
}

/// A connection that listens to one channel.
pub(crate) struct Subscription {
    pub(crate) messages: PubSubStream,
    sink: PubSubSink,
}

impl Listeners {
    pub(crate) fn of(topology: &Topology) -> Result<Self, RedisError> {
        Ok(match topology {
            Topology::Node(node) => Self::Node(Client::open(node.clone())?),
            Topology::Sentinel {
                sentinels,
                service,
                node,
            } => {
                let primary = SentinelServerType::Master;
                let client = SentinelClient::build(sentinels.clone(), service, Some(node.into()), primary)?;
                Self::Sentinel(Mutex::new(client))
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

    /// Listens to `channel` from now on.
    pub(crate) async fn listen(&self, channel: &str) -> Result<Subscription, RedisUnavailable> {
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
                // Another one each time: the last one was left for a reason.
                let start = first.fetch_add(1, Ordering::Relaxed) % nodes.len();
                let mut away = RedisUnavailable::TooSlow;
                for node in nodes.iter().cycle().skip(start).take(nodes.len()) {
                    match listen_on(node, channel).await {
                        Ok(ear) => return Ok(ear),
                        Err(error) => away = error,
                    }
                }
                Err(away)
            }
        }
    }
}

impl Subscription {
    /// Whether the other side still answers.
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
