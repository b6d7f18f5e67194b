//! The contracts on a node, a Cluster and a Sentinel group, and their behaviour during failures.

mod bus;
mod connections;
mod fallback;
mod health;
mod rights;
mod throttle;
mod tls;

use adapters_redis::{
    Budget, Budgets, RedisBus, RedisClient, RedisHealth, RedisThrottle, RedisUrl, RedisUse,
};
use deadpool_redis::redis::{Client, Connection, cmd};
use domain::{
    login::{CanonicalLogin, Login},
    ports::Throttle,
    throttle::{ClientNetwork, ThrottleDecision, ThrottleKey},
};
use std::{
    error::Error,
    iter::successors,
    net::Ipv4Addr,
    num::NonZeroU32,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};
use testkit::contract::{invalidation_bus::FreshBus, throttle::FreshThrottle};
use testservers::{RedisSentinel, redis, redis_cluster};
use tokio::time::sleep;

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
    Budgets {
        client: budget(burst, every),
        account: budget(burst, every),
        global: None,
    }
}

fn throttle_on(url: &str, prefix: &str, budgets: Budgets) -> RedisThrottle {
    RedisThrottle::new(client(url), prefix, budgets).expect("the budgets are within bounds")
}

fn client_key(number: u32) -> ThrottleKey {
    ThrottleKey::Client(ClientNetwork::V4(Ipv4Addr::from(number)))
}

fn account_key(login: &str) -> ThrottleKey {
    let login = Login::parse(login).expect("the login is valid");
    ThrottleKey::Account(CanonicalLogin::clone(login.canonical()))
}

async fn take(throttle: &dyn Throttle, key: &ThrottleKey) -> ThrottleDecision {
    throttle
        .take(key.clone())
        .await
        .expect("the throttle is available")
}

async fn allowed_of(attempts: u32, throttle: &dyn Throttle, key: &ThrottleKey) -> u32 {
    let mut allowed = 0;
    for _ in 0..attempts {
        allowed += u32::from(take(throttle, key).await == ThrottleDecision::Allowed);
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

fn contract_throttle(url: &str, prefix: &str) -> FreshThrottle {
    let burst = 5;
    FreshThrottle {
        throttle: Arc::new(throttle_on(url, prefix, budgets(burst, Duration::from_hours(1)))),
        burst,
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
    use super::{FreshBus, FreshThrottle, contract_bus, contract_throttle, redis};

    fn fresh_throttle() -> FreshThrottle {
        contract_throttle(redis().url(), &redis().fresh_prefix())
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
