//! The contracts on a node, a Cluster and a Sentinel group, and their behaviour during failures.

mod bus;
mod connections;
mod fallback;
mod health;
mod rights;
mod throttle;
mod tls;

use adapters_redis::{RedisBus, RedisClient, RedisHealth, RedisThrottle, RedisUrl, RedisUse};
use deadpool_redis::redis::{Client, Commands, Connection, cmd};
use domain::{
    ports::Throttle,
    session::SessionId,
    throttle::{Attempt, Budget, Budgets, Place, ThrottleDecision},
};
use std::{
    error::Error,
    iter::successors,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use testkit::{
    contract::{
        invalidation_bus::FreshBus,
        throttle::{BUDGETS, FreshThrottle},
    },
    fixtures::canonical,
};
use testservers::{RedisSentinel, redis, redis_cluster};
use tokio::time::sleep;
use uuid::Uuid;

/// A generous limit for tests that do not test timing.
const TEST_TIMEOUT: Duration = Duration::from_secs(20);
/// The adapter gives up waiting for Redis after less than half a second. The rest is for a busy
/// machine: without a limit, a call to a paused Redis would not return at all.
const IN_TIME: Duration = Duration::from_secs(10);

fn client_within(url: &str, command_bound: Duration) -> RedisClient {
    let url = RedisUrl::parse(url).expect("the URL is valid");
    RedisClient::open(&url, command_bound).expect("the nodes of the URL are consistent")
}

/// A client with a generous time limit.
fn client(url: &str) -> RedisClient {
    client_within(url, TEST_TIMEOUT)
}

/// A client with the service's time limit.
fn service_client(url: &str) -> RedisClient {
    client_within(url, RedisClient::COMMAND_BOUND)
}

/// A check of what a service with these names uses.
fn health_of(client: RedisClient, prefix: &str, channel: &str) -> RedisHealth {
    let used = RedisUse {
        throttle_prefix: Some(prefix.to_owned()),
        channel: channel.to_owned(),
    };
    RedisHealth::start(client, used)
}

fn health_on(url: &str, prefix: &str, channel: &str) -> RedisHealth {
    health_of(client(url), prefix, channel)
}

/// An error and its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let chain = successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

fn budget(burst: u32, every: Duration) -> Budget {
    Budget {
        burst: NonZeroU32::new(burst).expect("the number is not 0"),
        every,
    }
}

fn budgets(burst: u32, every: Duration) -> Budgets {
    let budget = budget(burst, every);
    Budgets {
        client: budget,
        failures: budget,
        service: budget,
        account: budget,
        session: budget,
        changes: budget,
    }
}

fn throttle_on(url: &str, prefix: &str, budgets: Budgets) -> RedisThrottle {
    RedisThrottle::new(client(url), prefix, &budgets).expect("the budgets are within bounds")
}

/// An attempt that takes from one budget, of the session with this number.
fn in_session(number: u32) -> Attempt {
    Attempt::Reauthenticate {
        session: SessionId(Uuid::from_u128(number.into())),
    }
}

/// A login from an unknown place; each number is a /24 of its own.
fn log_in(login: &str, number: u8) -> Attempt {
    Attempt::LogIn {
        account: Some(canonical(login)),
        address: Some([203, 0, number, 1].into()),
        place: Place::Unknown,
    }
}

async fn take(throttle: &dyn Throttle, attempt: &Attempt) -> ThrottleDecision {
    throttle.take(attempt).await.expect("the throttle is available")
}

async fn allowed_of(attempts: u32, throttle: &dyn Throttle, attempt: &Attempt) -> u32 {
    let mut allowed = 0;
    for _ in 0..attempts {
        allowed += u32::from(take(throttle, attempt).await == ThrottleDecision::Allowed);
    }
    allowed
}

/// A connection that bypasses the adapters.
fn raw(url: &str) -> Connection {
    let client = Client::open(url).expect("the URL is valid");
    client.get_connection().expect("Redis accepts the connection")
}

/// Changes a setting of the server.
fn set(admin: &mut Connection, name: &str, value: &str) {
    let () = cmd("CONFIG")
        .arg("SET")
        .arg(name)
        .arg(value)
        .query(admin)
        .expect("Redis accepts the setting");
}

/// Polls until `done`.
async fn eventually(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !done().await {
        assert!(start.elapsed() < TEST_TIMEOUT, "{what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// Makes the keys with this prefix older, which is the same as if the clock of Redis had advanced.
fn age(redis: &mut Connection, prefix: &str, by: Duration) {
    let keys: Vec<String> = redis.keys(format!("{prefix}*")).expect("Redis returns the keys");
    let earlier = |time: &str| {
        let time: u128 = time.parse().expect("the key holds times");
        time.saturating_sub(by.as_micros())
    };
    for key in keys {
        let value: Option<String> = redis.get(&key).expect("Redis returns the value");
        let left: i64 = redis.pttl(&key).expect("Redis returns the time to live");
        // A used turn expires within a millisecond, so it may be gone since the keys were listed.
        let (Some(value), Ok(left)) = (value, u64::try_from(left)) else {
            continue;
        };
        let (time, written) = value.split_once(' ').expect("the key holds two times");
        let value = format!("{} {}", earlier(time), earlier(written));
        match Duration::from_millis(left).saturating_sub(by).as_millis() {
            0 => {
                let _: () = redis.del(&key).expect("Redis deletes the key");
            }
            left => {
                let left = u64::try_from(left).expect("the time to live is short");
                let _: () = redis.pset_ex(&key, value, left).expect("Redis stores the value");
            }
        }
    }
}

fn contract_throttle(url: &str, prefix: &str) -> FreshThrottle {
    FreshThrottle {
        throttle: Arc::new(throttle_on(url, prefix, BUDGETS)),
        advance: None,
    }
}

fn contract_bus(url: &str, prefix: &str) -> FreshBus {
    let channel = format!("{prefix}bus");
    let bus = || Arc::new(RedisBus::new(client(url), &channel));
    FreshBus {
        bus: bus(),
        other: bus(),
    }
}

mod on_a_node {
    use super::{Arc, FreshBus, FreshThrottle, age, contract_bus, contract_throttle, raw, redis};

    fn fresh_throttle() -> FreshThrottle {
        let prefix = redis().fresh_prefix();
        FreshThrottle {
            advance: Some(Arc::new({
                let prefix = prefix.clone();
                move |by| age(&mut raw(redis().url()), &prefix, by)
            })),
            ..contract_throttle(redis().url(), &prefix)
        }
    }

    fn fresh_bus() -> FreshBus {
        contract_bus(redis().url(), &redis().fresh_prefix())
    }

    testkit::throttle_contract!(fresh_throttle);
    testkit::invalidation_bus_contract!(fresh_bus);
}

mod on_a_cluster {
    use super::{FreshBus, FreshThrottle, contract_bus, contract_throttle, redis_cluster};

    fn fresh_throttle() -> FreshThrottle {
        contract_throttle(&redis_cluster().url(), &redis_cluster().fresh_prefix())
    }

    fn fresh_bus() -> FreshBus {
        contract_bus(&redis_cluster().url(), &redis_cluster().fresh_prefix())
    }

    testkit::throttle_contract!(fresh_throttle);
    testkit::invalidation_bus_contract!(fresh_bus);
}

mod behind_a_sentinel {
    use super::{FreshBus, FreshThrottle, OnceLock, RedisSentinel, contract_bus, contract_throttle, redis};

    fn url() -> String {
        static SHARED: OnceLock<RedisSentinel> = OnceLock::new();
        SHARED.get_or_init(RedisSentinel::start).url()
    }

    fn fresh_throttle() -> FreshThrottle {
        contract_throttle(&url(), &redis().fresh_prefix())
    }

    fn fresh_bus() -> FreshBus {
        contract_bus(&url(), &redis().fresh_prefix())
    }

    testkit::throttle_contract!(fresh_throttle);
    testkit::invalidation_bus_contract!(fresh_bus);
}
