//! Subscriptions survive lost connections.

use super::{IN_TIME, TEST_TIMEOUT, client, eventually, redis, service_client, take};
use adapters_redis::{RedisBus, RedisThrottle};
use domain::{ports::PortError, throttle::ThrottleDecision};
use session_cache::ports::{BusEvent, BusSubscription, InvalidationBus};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use testservers::{CuttingProxy, Own, ProxyMode, Redis, RedisCluster, RedisSentinel};
use tokio::time::timeout;

async fn next(subscription: &mut dyn BusSubscription) -> BusEvent {
    timeout(TEST_TIMEOUT, subscription.next())
        .await
        .expect("an event arrives in time")
}

/// Publishes until one message arrives. Messages published while a connection is down may be lost.
async fn assert_resumes(bus: &RedisBus, subscription: &mut dyn BusSubscription) {
    let mut arrived = false;
    eventually("a message arrives again", async || {
        // Publishing fails while Redis is down.
        let _ = bus.publish(b"resumed".to_vec()).await;
        while let Ok(event) = timeout(Duration::from_millis(100), subscription.next()).await {
            arrived |= event == BusEvent::Message(b"resumed".to_vec());
        }
        arrived
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_reports_the_gap_and_resumes_when_redis_returns() {
    let own = Redis::start_own();
    let bus = RedisBus::new(service_client(own.url()), "bus");
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    for _ in 0..2 {
        own.kill();
        own.restart();
        assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
        assert_resumes(&bus, &mut *subscription).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_publishing_and_subscribing_fail_in_time() {
    let own = Redis::start_own();
    let bus = RedisBus::new(service_client(own.url()), "bus");
    bus.publish(Vec::new()).await.expect("Redis is available");
    for harm in [Own::<Redis>::pause, Own::<Redis>::kill] {
        harm(&own);
        let start = Instant::now();
        assert!(matches!(
            bus.publish(Vec::new()).await,
            Err(PortError::Unavailable(_))
        ));
        assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
        let start = Instant::now();
        assert!(matches!(bus.subscribe().await, Err(PortError::Unavailable(_))));
        assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silently_broken_connection_is_detected() {
    let address: SocketAddr = redis().address().parse().expect("the address is valid");
    let proxy = CuttingProxy::forward_to(address).await;
    let bus = RedisBus::new(
        client(&format!("redis://{}", proxy.address())),
        &redis().fresh_prefix(),
    );
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    proxy.set(ProxyMode::BlackHole);
    // Only an event would show that the fault was detected, and no event can pass the black hole.
    assert!(
        timeout(Duration::from_millis(2500), subscription.next())
            .await
            .is_err()
    );
    proxy.set(ProxyMode::Pass);
    assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
    assert_resumes(&bus, &mut *subscription).await;
}

#[tokio::test]
async fn a_slow_subscriber_gets_a_gap_and_then_the_newest_messages() {
    let bus = RedisBus::new(client(redis().url()), &redis().fresh_prefix());
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    for number in 0..3000_u16 {
        bus.publish(number.to_be_bytes().to_vec())
            .await
            .expect("Redis is available");
    }
    let mut events = vec![next(&mut *subscription).await];
    let last = BusEvent::Message(2999_u16.to_be_bytes().to_vec());
    while events.last() != Some(&last) {
        events.push(next(&mut *subscription).await);
    }
    assert!(events.contains(&BusEvent::Reconnected));
    assert!(events.len() < 3000);
}

#[tokio::test]
async fn channels_are_isolated() {
    let (one, other) = (redis().fresh_prefix(), redis().fresh_prefix());
    let [one, other] = [one, other].map(|channel| RedisBus::new(client(redis().url()), &channel));
    let mut subscription = one.subscribe().await.expect("the bus accepts the subscription");
    other
        .publish(b"elsewhere".to_vec())
        .await
        .expect("Redis is available");
    one.publish(b"here".to_vec()).await.expect("Redis is available");
    assert_eq!(
        next(&mut *subscription).await,
        BusEvent::Message(b"here".to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_primary_named_by_sentinel_is_found() {
    let group = RedisSentinel::start();
    let (bus, throttle) = adapters_on(&group.url());
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    assert_resumes(&bus, &mut *subscription).await;
    group.primary().kill();
    assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
    assert_resumes(&bus, &mut *subscription).await;
    until_counted(&throttle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_loses_a_node_keeps_publishing_and_counting() {
    let cluster = RedisCluster::start(6);
    let (bus, throttle) = adapters_on(&cluster.url());
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    assert_resumes(&bus, &mut *subscription).await;
    // The first subscription is connected to the first node, which is also a primary.
    cluster.nodes()[0].kill();
    assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
    assert_resumes(&bus, &mut *subscription).await;
    until_counted(&throttle).await;
}

fn adapters_on(url: &str) -> (RedisBus, RedisThrottle) {
    let client = service_client(url);
    let budgets = super::budgets(1000, Duration::from_millis(1));
    let throttle = RedisThrottle::new(client.clone(), "", &budgets).expect("the budgets are within bounds");
    (RedisBus::new(client, "bus"), throttle)
}

/// Waits until keys in every slot range are counted.
async fn until_counted(throttle: &RedisThrottle) {
    eventually("every key is counted", async || {
        for number in 0..50 {
            if domain::ports::Throttle::take(throttle, &super::in_session(number))
                .await
                .is_err()
            {
                return false;
            }
        }
        true
    })
    .await;
    assert_eq!(
        take(throttle, &super::in_session(0)).await,
        ThrottleDecision::Allowed
    );
}
