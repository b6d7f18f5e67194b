use crate::{budget::Rate, client::RedisClient, redis_unavailable::RedisUnavailable};
use deadpool_redis::redis::{Cmd, ErrorKind, Script, ServerErrorKind, cmd};
use domain::throttle::ThrottleDecision;
use std::time::Duration;

/// The script. Its comments describe the algorithm.
const SCRIPT: &str = include_str!("gcra.lua");

/// The script, called by its hash if Redis has it cached.
pub(crate) struct Gcra {
    hash: String,
}

impl Gcra {
    pub(crate) fn new() -> Self {
        Self {
            hash: Script::new(SCRIPT).get_hash().to_owned(),
        }
    }

    /// Takes one attempt of `key`, in one round trip, or two if Redis does not have the script
    /// cached.
    pub(crate) async fn take(
        &self,
        client: &RedisClient,
        key: &str,
        rate: Rate,
    ) -> Result<ThrottleDecision, RedisUnavailable> {
        Ok(match self.run(client, key, rate).await? {
            0 => ThrottleDecision::Allowed,
            wait => ThrottleDecision::Refused {
                retry_after: Duration::from_micros(wait),
            },
        })
    }

    /// Reads the budget of `key` without taking an attempt: a budget without room for one rejects
    /// every attempt.
    pub(crate) async fn read(&self, client: &RedisClient, key: &str) -> Result<(), RedisUnavailable> {
        let rate = Rate { every: 1, refill: 0 };
        self.run(client, key, rate).await?;
        Ok(())
    }

    /// Runs the script and returns the wait in microseconds.
    async fn run(&self, client: &RedisClient, key: &str, rate: Rate) -> Result<u64, RedisUnavailable> {
        match client.query(&call("EVALSHA", &self.hash, key, rate)).await {
            // EVAL rather than SCRIPT LOAD: it reaches the node that owns the key, which then
            // caches the script.
            Err(RedisUnavailable::Refused(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                client.query(&call("EVAL", SCRIPT, key, rate)).await
            }
            answer => answer,
        }
    }
}

fn call(name: &str, script: &str, key: &str, rate: Rate) -> Cmd {
    let mut command = cmd(name);
    command
        .arg(script)
        .arg(1)
        .arg(key)
        .arg(rate.every)
        .arg(rate.refill);
    command
}
