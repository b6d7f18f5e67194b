use crate::{budget::Rate, client::RedisClient, redis_unavailable::RedisUnavailable};
use deadpool_redis::redis::{Cmd, ErrorKind, Script, ServerErrorKind, cmd};
use domain::throttle::ThrottleDecision;
use std::time::Duration;

/// It says more about itself.
const SCRIPT: &str = include_str!("gcra.lua");

/// The script, by its hash where Redis knows it.
pub(crate) struct Gcra {
    hash: String,
}

impl Gcra {
    pub(crate) fn new() -> Self {
        Self {
            hash: Script::new(SCRIPT).get_hash().to_owned(),
        }
    }

    /// Takes one attempt of `key`, in one round trip, or two when Redis has forgotten the script.
    pub(crate) async fn take(
        &self,
        client: &RedisClient,
        key: &str,
        rate: Rate,
    ) -> Result<ThrottleDecision, RedisUnavailable> {
        let by_hash = client.query(&call("EVALSHA", &self.hash, key, rate)).await;
        let wait: u64 = match by_hash {
            // EVAL and not SCRIPT LOAD: it goes to the very node that has the key, and that node remembers it.
            Err(RedisUnavailable::Refused(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                client.query(&call("EVAL", SCRIPT, key, rate)).await?
            }
            answer => answer?,
        };
        Ok(match wait {
            0 => ThrottleDecision::Allowed,
            wait => ThrottleDecision::Refused {
                retry_after: Duration::from_micros(wait),
            },
        })
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
