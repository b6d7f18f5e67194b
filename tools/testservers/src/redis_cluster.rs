use crate::{
    failure::{Failure, must},
    instance::Own,
    port,
    postgres::random,
    programs,
    redis::{self, Redis},
    waiting::{START_DEADLINE, run, until},
};
use std::{process::Command, sync::OnceLock};

/// How long a node must be silent before the other nodes consider it failed, in milliseconds.
const NODE_TIMEOUT: &str = "2000";

/// A Redis Cluster on the loopback interface. With six or more nodes, each primary has a replica.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<Own<Redis>>,
}

/// Returns the cluster of six nodes that all tests of this process share. The first call starts it.
///
/// # Panics
/// If it cannot be started.
#[track_caller]
pub fn redis_cluster() -> &'static RedisCluster {
    static SHARED: OnceLock<RedisCluster> = OnceLock::new();
    SHARED.get_or_init(|| RedisCluster::start(6))
}

impl RedisCluster {
    /// Starts `size` nodes, at least 3, and waits until each node is connected to all others.
    ///
    /// # Panics
    /// If a node cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start(size: usize) -> Self {
        must(start(size))
    }

    /// Returns the nodes, which a test may kill or suspend.
    #[must_use]
    pub fn nodes(&self) -> &[Own<Redis>] {
        &self.nodes
    }

    /// Returns one `redis://` URL with the addresses of all nodes, separated by commas.
    #[must_use]
    pub fn url(&self) -> String {
        let addresses: Vec<_> = self.nodes.iter().map(|node| node.address()).collect();
        format!("redis://{}", addresses.join(","))
    }

    /// Returns a unique prefix for the names of keys and channels. It ends with a colon.
    #[must_use]
    pub fn fresh_prefix(&self) -> String {
        format!("authapi-test:{:016x}:", random())
    }
}

fn start(size: usize) -> Result<RedisCluster, Failure> {
    let nodes: Vec<_> = (0..size).map(|_| start_node()).collect::<Result<_, _>>()?;
    let mut create = Command::new(programs::on_path("redis-cli", "redis-tools")?);
    create.args(["--cluster", "create"]);
    create.args(nodes.iter().map(|node| node.address()));
    let replicas = if size >= 6 { "1" } else { "0" };
    create.args(["--cluster-replicas", replicas, "--cluster-yes"]);
    run("redis-cli --cluster create", &mut create, START_DEADLINE)?;
    until("forming a Redis Cluster", START_DEADLINE, || {
        nodes.iter().all(|node| sees_all(node, size))
    })?;
    Ok(RedisCluster { nodes })
}

fn start_node() -> Result<Own<Redis>, Failure> {
    // The default port of the cluster bus is the client port plus 10000, which may be in use.
    let bus = port::free()?.to_string();
    let (redis, instance) = redis::start(&[
        ("cluster-enabled", "yes"),
        ("cluster-port", &bus),
        ("cluster-node-timeout", NODE_TIMEOUT),
        // A primary without data needs no delay before the replica copies it.
        ("repl-diskless-sync-delay", "0"),
    ])?;
    Ok(Own::new(redis, instance))
}

fn sees_all(node: &Redis, size: usize) -> bool {
    let ok = redis::ask(node.address(), "CLUSTER INFO").is_some_and(|it| it.contains("cluster_state:ok"));
    let nodes = redis::ask(node.address(), "CLUSTER NODES").unwrap_or_default();
    let connected = nodes.lines().filter(|line| line.contains(" connected")).count();
    ok && connected == size
}
