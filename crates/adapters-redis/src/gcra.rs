use crate::{budget::Rate, client::RedisClient, redis_unavailable::RedisUnavailable};
use deadpool_redis::redis::{Cmd, ErrorKind, FromRedisValue, Script, ServerErrorKind, cmd};
use domain::throttle::TURN_HORIZON;
use std::time::Duration;

/// The scripts. Their comments describe the algorithm.
const TAKE: &str = concat!(
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/take.lua")
);
const GIVE_BACK: &str = concat!(
    include_str!("scripts/prelude.lua"),
    include_str!("scripts/give_back.lua")
);

/// The scripts, called by their hashes if Redis has them cached. Each call is one round trip, or
/// two if Redis does not have the script cached.
pub(crate) struct Gcra {
    take: CachedScript,
    give_back: CachedScript,
}

/// A budget in Redis.
pub(crate) struct RedisBudget {
    pub(crate) key: String,
    pub(crate) rate: Rate,
}

/// A turn in Redis.
pub(crate) struct RedisTurn {
    /// The position of the budget that has turns. The first is 1, as in Lua.
    pub(crate) position: u64,
    pub(crate) key: String,
}

/// The refusal of an attempt.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GcraRefused {
    /// The position of the budget with the longest wait.
    pub(crate) position: u64,
    pub(crate) wait: Duration,
}

struct CachedScript {
    text: &'static str,
    hash: String,
}

impl Gcra {
    pub(crate) fn new() -> Self {
        Self {
            take: CachedScript::new(TAKE),
            give_back: CachedScript::new(GIVE_BACK),
        }
    }

    /// Takes one attempt of each of `budgets`, or nothing if one refuses.
    pub(crate) async fn take(
        &self,
        client: &RedisClient,
        budgets: &[RedisBudget],
        turn: Option<&RedisTurn>,
    ) -> Result<Result<(), GcraRefused>, RedisUnavailable> {
        let keys = budgets.iter().map(|budget| budget.key.as_str());
        let keys: Vec<_> = keys.chain(turn.map(|turn| turn.key.as_str())).collect();
        let with_turns = turn.map_or(0, |turn| turn.position);
        let rates = budgets
            .iter()
            .flat_map(|budget| [budget.rate.every, budget.rate.refill]);
        let horizon = u64::try_from(TURN_HORIZON.as_micros()).expect("a day fits");
        let arguments: Vec<_> = [with_turns, horizon].into_iter().chain(rates).collect();
        Ok(match self.take.run(client, &keys, &arguments).await? {
            (0, _) => Ok(()),
            (position, wait) => Err(GcraRefused {
                position,
                wait: Duration::from_micros(wait),
            }),
        })
    }

    /// Returns one attempt to each of `budgets`.
    pub(crate) async fn give_back(
        &self,
        client: &RedisClient,
        budgets: &[RedisBudget],
    ) -> Result<(), RedisUnavailable> {
        let keys: Vec<_> = budgets.iter().map(|budget| budget.key.as_str()).collect();
        let arguments: Vec<_> = budgets.iter().map(|budget| budget.rate.every).collect();
        self.give_back.run::<u64>(client, &keys, &arguments).await?;
        Ok(())
    }

    /// Reads the budget of `key` without taking an attempt: a budget without room for one rejects
    /// every attempt.
    pub(crate) async fn read(&self, client: &RedisClient, key: &str) -> Result<(), RedisUnavailable> {
        let budget = RedisBudget {
            key: key.to_owned(),
            rate: Rate { every: 1, refill: 0 },
        };
        let _ = self.take(client, &[budget], None).await?;
        Ok(())
    }
}

impl CachedScript {
    fn new(text: &'static str) -> Self {
        let hash = Script::new(text).get_hash().to_owned();
        Self { text, hash }
    }

    async fn run<T: FromRedisValue>(
        &self,
        client: &RedisClient,
        keys: &[&str],
        arguments: &[u64],
    ) -> Result<T, RedisUnavailable> {
        match client.query(&call("EVALSHA", &self.hash, keys, arguments)).await {
            // EVAL rather than SCRIPT LOAD: it reaches the node that owns the keys, which then
            // caches the script.
            Err(RedisUnavailable::Refused(error))
                if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) =>
            {
                client.query(&call("EVAL", self.text, keys, arguments)).await
            }
            answer => answer,
        }
    }
}

fn call(name: &str, script: &str, keys: &[&str], arguments: &[u64]) -> Cmd {
    let mut command = cmd(name);
    command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
    command
}
