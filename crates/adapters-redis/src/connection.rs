//! Connections for commands, for each topology.

use crate::redis_url::Topology;
use deadpool_redis::{
    PoolConfig, PoolError, Runtime, Timeouts, cluster,
    redis::{
        AsyncConnectionConfig, Cmd, Pipeline, RedisError, RedisFuture, Value,
        aio::{ConnectionLike, MultiplexedConnection},
        cluster_async::ClusterConnection,
    },
    sentinel,
};
use std::time::Duration;

/// Time limit for connecting to one node.
pub(crate) const CONNECT_BOUND: Duration = Duration::from_millis(750);
/// Time limit for discovering the nodes and connecting to one.
const CREATE_BOUND: Duration = Duration::from_secs(2);
/// Maximum number of commands waiting for the socket.
const QUEUE: usize = 1024;
const RUNTIME: Runtime = Runtime::Tokio1;
/// The reason that building a pool cannot fail.
const HAS_RUNTIME: &str = "a pool with timeouts requires a runtime and nothing else";

/// A pool that creates, checks and replaces its only connection. This multiplexed connection
/// carries all commands of the process.
pub(crate) enum Pools {
    Node(deadpool_redis::Pool),
    Sentinel(sentinel::Pool),
    Cluster(cluster::Pool),
}

/// The pool's connection, checked out.
pub(crate) enum Pooled {
    Node(deadpool_redis::Connection),
    Sentinel(sentinel::Connection),
    Cluster(cluster::Connection),
}

/// A handle to the pool's connection. Any number of commands may be in flight at once.
#[derive(Clone)]
pub(crate) enum SharedConnection {
    Node(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Pools {
    /// Creates the pool without connecting.
    pub(crate) fn of(topology: &Topology, command_bound: Duration) -> Result<Self, RedisError> {
        Ok(match topology {
            Topology::Node(node) => {
                let config = AsyncConnectionConfig::new()
                    .set_connection_timeout(Some(CONNECT_BOUND))
                    .set_response_timeout(Some(command_bound))
                    .set_pipeline_buffer_size(QUEUE);
                let manager = deadpool_redis::Manager::new_with_config(node.clone(), config)?;
                Self::Node(
                    deadpool_redis::Pool::builder(manager)
                        .config(one(command_bound))
                        .runtime(RUNTIME)
                        .build()
                        .expect(HAS_RUNTIME),
                )
            }
            Topology::Sentinel {
                sentinels,
                service,
                node,
            } => {
                let primary = sentinel::SentinelServerType::Master;
                let manager =
                    sentinel::Manager::new(sentinels.clone(), service.clone(), Some(node.into()), primary)?;
                Self::Sentinel(
                    sentinel::Pool::builder(manager)
                        .config(one(command_bound))
                        .runtime(RUNTIME)
                        .build()
                        .expect(HAS_RUNTIME),
                )
            }
            Topology::Cluster(nodes) => {
                let manager = cluster::Manager::new(nodes.clone(), false)?;
                Self::Cluster(
                    cluster::Pool::builder(manager)
                        .config(one(command_bound))
                        .runtime(RUNTIME)
                        .build()
                        .expect(HAS_RUNTIME),
                )
            }
        })
    }

    /// Returns the connection. One that was used before is checked with a PING, and replaced if the
    /// PING is not answered.
    pub(crate) async fn get(&self) -> Result<Pooled, PoolError> {
        Ok(match self {
            Self::Node(pool) => Pooled::Node(pool.get().await?),
            Self::Sentinel(pool) => Pooled::Sentinel(pool.get().await?),
            Self::Cluster(pool) => Pooled::Cluster(pool.get().await?),
        })
    }
}

/// The configuration common to all pools.
fn one(command_bound: Duration) -> PoolConfig {
    let mut config = PoolConfig::new(1);
    config.timeouts = Timeouts {
        wait: None,
        create: Some(CREATE_BOUND),
        recycle: Some(command_bound),
    };
    config
}

impl Pooled {
    pub(crate) fn share(&self) -> SharedConnection {
        match self {
            Self::Node(connection) => SharedConnection::Node(MultiplexedConnection::clone(connection)),
            Self::Sentinel(connection) => SharedConnection::Node(MultiplexedConnection::clone(connection)),
            Self::Cluster(connection) => SharedConnection::Cluster(ClusterConnection::clone(connection)),
        }
    }

    /// Drops the connection after its last command instead of returning it to the pool.
    pub(crate) fn discard(self) {
        match self {
            Self::Node(connection) => drop(deadpool_redis::Connection::take(connection)),
            Self::Sentinel(connection) => drop(sentinel::Connection::take(connection)),
            Self::Cluster(connection) => drop(cluster::Connection::take(connection)),
        }
    }
}

impl ConnectionLike for SharedConnection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Node(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        commands: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Node(connection) => connection.req_packed_commands(commands, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(commands, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Node(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
