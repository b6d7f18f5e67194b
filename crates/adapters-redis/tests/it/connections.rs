//! The number of connections, and their end.

use super::{budgets, client, eventually, in_session, raw, service_client, take};
use adapters_redis::{RedisBus, RedisThrottle};
use deadpool_redis::redis::cmd;
use domain::{ports::Throttle, throttle::ThrottleDecision};
use session_cache::ports::InvalidationBus;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use testservers::Redis;
use tokio::{task::JoinSet, time::sleep};

/// The ids of the connected clients, except the one that sends the command.
fn client_ids(redis: &Redis) -> BTreeSet<String> {
    let mut asking = raw(redis.url());
    let itself: u64 = cmd("CLIENT")
        .arg("ID")
        .query(&mut asking)
        .expect("Redis returns the id");
    let list: String = cmd("CLIENT")
        .arg("LIST")
        .arg("TYPE")
        .arg("NORMAL")
        .query(&mut asking)
        .expect("Redis lists its clients");
    let pubsub: String = cmd("CLIENT")
        .arg("LIST")
        .arg("TYPE")
        .arg("PUBSUB")
        .query(&mut asking)
        .expect("Redis lists its clients");
    let ids = list
        .lines()
        .chain(pubsub.lines())
        .filter_map(|line| line.split(' ').next().map(str::to_owned));
    ids.filter(|id| *id != format!("id={itself}")).collect()
}

fn connections_of(redis: &Redis) -> usize {
    client_ids(redis).len()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_attempts_share_one_connection_and_subscriptions_use_another() {
    let own = Redis::start_own();
    let client = client(own.url());
    let bus = RedisBus::new(client.clone(), "bus");
    let throttle = RedisThrottle::new(client, "", &budgets(1000, Duration::from_secs(1)))
        .expect("the budgets are within bounds");
    let throttle = Arc::new(throttle);
    let mut takers = JoinSet::new();
    for number in 0..1000 {
        let throttle = Arc::clone(&throttle);
        takers.spawn(async move {
            throttle
                .take(&in_session(number))
                .await
                .expect("the throttle is available")
        });
    }
    takers.join_all().await;
    assert_eq!(connections_of(&own), 1);
    let subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    assert_eq!(connections_of(&own), 2);

    drop(subscription);
    eventually("the subscription's connection is closed", async || {
        connections_of(&own) == 1
    })
    .await;
    drop((bus, throttle));
    eventually("the client's connection is closed", async || {
        connections_of(&own) == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_dropped_while_redis_is_down_does_not_reconnect() {
    let own = Redis::start_own();
    own.kill();
    let bus = RedisBus::new(service_client(own.url()), "bus");
    assert!(
        bus.publish(Vec::new()).await.is_err(),
        "the client has tried to connect"
    );
    drop(bus);
    own.restart();
    // This is longer than any delay between two attempts.
    sleep(Duration::from_secs(1)).await;
    assert_eq!(connections_of(&own), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_to_a_read_only_server_is_replaced() {
    let own = Redis::start_own();
    let budgets = budgets(1000, Duration::from_secs(1));
    let throttle =
        RedisThrottle::new(client(own.url()), "", &budgets).expect("the budgets are within bounds");
    assert_eq!(take(&throttle, &in_session(1)).await, ThrottleDecision::Allowed);
    let before = client_ids(&own);
    // This is the state after a failover that left the old primary reachable.
    let mut redis_itself = raw(own.url());
    let () = cmd("REPLICAOF")
        .arg("127.0.0.1")
        .arg(1)
        .query(&mut redis_itself)
        .expect("Redis becomes a replica");
    assert!(throttle.take(&in_session(1)).await.is_err());
    let () = cmd("REPLICAOF")
        .arg("NO")
        .arg("ONE")
        .query(&mut redis_itself)
        .expect("Redis becomes a primary");
    drop(redis_itself);
    eventually("another connection", async || {
        client_ids(&own).is_disjoint(&before) && connections_of(&own) == 1
    })
    .await;
    assert_eq!(take(&throttle, &in_session(1)).await, ThrottleDecision::Allowed);
}
