use crate::{
    failure::{Failure, must},
    instance::{Folder, Instance, Own, StartedBy},
    port, programs,
    redis::{self, Redis},
    waiting::{START_DEADLINE, until},
};
use std::fs;

/// The sentinel's name for the primary.
const SERVICE: &str = "authapi-test";
/// How long the primary must be silent before the sentinel considers it failed, in milliseconds.
const DOWN_AFTER: u32 = 1000;

/// A primary, its replica, and one sentinel, which suffices to promote the replica.
#[derive(Debug)]
pub struct RedisSentinel {
    primary: Own<Redis>,
    replica: Own<Redis>,
    sentinel: Own<Redis>,
}

impl RedisSentinel {
    /// Starts all three servers and waits until the sentinel has discovered the replica.
    ///
    /// # Panics
    /// If a server cannot be started.
    #[must_use]
    #[track_caller]
    pub fn start() -> Self {
        must(start())
    }

    /// Returns the URL `redis+sentinel://HOST:PORT/SERVICE`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/{SERVICE}", self.sentinel.address())
    }

    /// Returns the node that starts as the primary.
    #[must_use]
    pub fn primary(&self) -> &Own<Redis> {
        &self.primary
    }

    /// Returns the node that the sentinel promotes when the primary fails.
    #[must_use]
    pub fn replica(&self) -> &Own<Redis> {
        &self.replica
    }
}

fn start() -> Result<RedisSentinel, Failure> {
    let (primary, instance) = redis::start(&[])?;
    let primary = Own::new(primary, instance);
    let of = primary.address().replace(':', " ");
    let (replica, instance) = redis::start(&[("replicaof", &of)])?;
    let replica = Own::new(replica, instance);
    until("the replication of a Redis", START_DEADLINE, || {
        redis::ask(replica.address(), "INFO replication")
            .is_some_and(|it| it.contains("master_link_status:up"))
    })?;
    let sentinel = start_sentinel(&of)?;
    until("the sentinel's discovery of the replica", START_DEADLINE, || {
        let primaries = redis::ask(sentinel.address(), "INFO sentinel").unwrap_or_default();
        primaries.contains("status=ok") && primaries.contains("slaves=1")
    })?;
    Ok(RedisSentinel {
        primary,
        replica,
        sentinel,
    })
}

fn start_sentinel(primary: &str) -> Result<Own<Redis>, Failure> {
    let program = programs::on_path("redis-server", "redis-server")?;
    let folder = Folder::make()?;
    let port = port::free()?;
    let file = folder.path.join("sentinel.conf");
    let settings = format!(
        "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {SERVICE} {primary} 1\n\
         sentinel down-after-milliseconds {SERVICE} {DOWN_AFTER}\nsentinel failover-timeout {SERVICE} 5000\n",
        folder.path.display()
    );
    fs::write(&file, settings).map_err(Failure::file("cannot write", &file))?;
    // The sentinel rewrites its configuration file.
    folder.owner.take_over(&file)?;
    let by = StartedBy {
        program,
        arguments: vec![file.display().to_string(), "--sentinel".to_owned()],
        ending: "TERM",
    };
    let sentinel = Redis::at(port);
    let instance = Instance::start(folder, by, || crate::Server::answers(&sentinel))?;
    Ok(Own::new(sentinel, instance))
}
