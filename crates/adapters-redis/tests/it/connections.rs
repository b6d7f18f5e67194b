//! How many connections there are, and that they go.

use super::{budgets, client, client_key, eventually, hasty_client, raw, take};
use adapters_redis::{RedisBus, RedisThrottle};
use deadpool_redis::redis::cmd;
use domain::{ports::Throttle, throttle::ThrottleDecision};
use session_cache::ports::InvalidationBus;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use testservers::Redis;
use tokio::{task::JoinSet, time::sleep};

/// The ids of its clients, without the one that asks.
fn clients_of(redis: &Redis) -> BTreeSet<String> {
    let mut asking = raw(redis.url());
    let itself: u64 = cmd("CLIENT").arg("ID").query(&mut asking).expect("an id");
    let list: String = cmd("CLIENT")
        .arg("LIST")
        .arg("TYPE")
        .arg("NORMAL")
        .query(&mut asking)
        .expect("a list");
    let pubsub: String = cmd("CLIENT")
        .arg("LIST")
        .arg("TYPE")
        .arg("PUBSUB")
        .query(&mut asking)
        .expect("a list");
    let ids = list
        .lines()
        .chain(pubsub.lines())
        .filter_map(|line| line.split(' ').next().map(str::to_owned));
    ids.filter(|id| *id != format!("id={itself}")).collect()
}

fn connections_of(redis: &Redis) -> usize {
    clients_of(redis).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_attempts_share_one_connection_and_a_subscription_has_its_own() {
    let own = Redis::start_own();
    let client = client(own.url());
    let bus = RedisBus::new(client.clone(), "bus");
    let throttle = RedisThrottle::new(client, "", budgets(1000, Duration::from_secs(1))).expect("budgets");
    let throttle = Arc::new(throttle);
    let mut takers = JoinSet::new();
    for number in 0..1000 {
        let throttle = Arc::clone(&throttle);
        takers.spawn(async move { throttle.take(client_key(number)).await.expect("an answer") });
    }
    takers.join_all().await;
    assert_eq!(connections_of(&own), 1);
    let subscription = bus.subscribe().await.expect("a subscription");
    assert_eq!(connections_of(&own), 2);

    drop(subscription);
    eventually("the subscription's connection goes", async || {
        connections_of(&own) == 1
    })
    .await;
    drop((bus, throttle));
    eventually("the client's connection goes", async || connections_of(&own) == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_was_dropped_while_redis_was_away_does_not_come_back() {
    let own = Redis::start_own();
    own.kill();
    let bus = RedisBus::new(hasty_client(own.url()), "bus");
    assert!(bus.publish(Vec::new()).await.is_err(), "it has tried to connect");
    drop(bus);
    own.restart();
    // Longer than any wait between two attempts.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(connections_of(&own), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_a_server_that_takes_no_writes_any_more_is_replaced() {
    let own = Redis::start_own();
    let budgets = budgets(1000, Duration::from_secs(1));
    let throttle = RedisThrottle::new(client(own.url()), "", budgets).expect("budgets");
    assert_eq!(take(&throttle, &client_key(1)).await, ThrottleDecision::Allowed);
    let before = clients_of(&own);
    // As after a failover that left the old primary reachable.
    let mut redis_itself = raw(own.url());
    let () = cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(1)
        .query(&mut redis_itself)
        .expect("a replica");
    assert!(throttle.take(client_key(1)).await.is_err());
    let () = cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .query(&mut redis_itself)
        .expect("a primary");
    drop(redis_itself);
    eventually("another connection", async || {
        clients_of(&own).is_disjoint(&before) && connections_of(&own) == 1
    })
    .await;
    assert_eq!(take(&throttle, &client_key(1)).await, ThrottleDecision::Allowed);
}
