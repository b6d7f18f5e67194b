//! The invalidation bus over LISTEN and NOTIFY.

use crate::{
    IN_TIME, connect_unhurried,
    failing::{address_of, through},
};
use adapters_postgres::{ConnectError, PoolSettings, PostgresBus, PostgresDatabase};
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use domain::ports::{PortError, StorageHealth};
use session_cache::ports::{BusEvent, BusSubscription, InvalidationBus};
use std::{collections::BTreeMap, error::Error, iter::successors, sync::Arc, time::Duration};
use testkit::{contract::invalidation_bus::FreshBus, fixtures::unique_uuid};
use testservers::{CuttingProxy, Own, Postgres, ProxyMode, postgres};
use tokio::{
    runtime::Handle,
    task::{JoinSet, block_in_place, yield_now},
    time::timeout,
};

testkit::invalidation_bus_contract!(fresh_bus);

/// The database of all of these tests is shared: channels keep them apart.
fn fresh_bus() -> FreshBus {
    let channel = unique_uuid().to_string();
    let bus = || {
        let opening = async { bus_in(&connect_unhurried(postgres().url()).await, &channel) };
        Arc::new(block_in_place(|| Handle::current().block_on(opening)))
    };
    FreshBus {
        bus: bus(),
        other: bus(),
    }
}

fn bus_in(database: &PostgresDatabase, channel: &str) -> PostgresBus {
    PostgresBus::open(database, None, channel).expect("the bus listens on the database itself")
}

/// A bus with the time limits of the service.
async fn service_bus(url: &str) -> PostgresBus {
    let database = PostgresDatabase::connect(url, PoolSettings::default()).await;
    bus_in(&database.expect("the database can be opened"), "bus")
}

async fn subscribe(bus: &PostgresBus) -> Box<dyn BusSubscription> {
    bus.subscribe().await.expect("the bus accepts the subscription")
}

async fn next(subscription: &mut dyn BusSubscription) -> BusEvent {
    timeout(IN_TIME, subscription.next())
        .await
        .expect("an event arrives in time")
}

/// An error and its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let chain = successors(Some(error), |&error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// Publishes until one message arrives. Messages published while a connection is down may be lost.
async fn assert_resumes(bus: &PostgresBus, subscription: &mut dyn BusSubscription) {
    let resumed = async {
        loop {
            // Publishing fails while the server is down.
            let _ = bus.publish(b"resumed".to_vec()).await;
            while let Ok(event) = timeout(Duration::from_millis(100), subscription.next()).await {
                if event == BusEvent::Message(b"resumed".to_vec()) {
                    return;
                }
            }
        }
    };
    timeout(IN_TIME, resumed).await.expect("a message arrives again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_reports_the_gap_and_resumes_when_the_server_returns() {
    let own = Postgres::start_own();
    let bus = service_bus(own.url()).await;
    let mut subscription = subscribe(&bus).await;
    for _ in 0..2 {
        block_in_place(|| own.kill());
        block_in_place(|| own.restart());
        assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
        assert_resumes(&bus, &mut *subscription).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_server_publishing_and_subscribing_fail_in_time() {
    let own = Postgres::start_own();
    let bus = service_bus(own.url()).await;
    bus.check().await.expect("the bus is available");
    for harm in [Own::<Postgres>::pause, Own::<Postgres>::kill] {
        block_in_place(|| harm(&own));
        let published = timeout(IN_TIME, bus.publish(Vec::new())).await;
        let published = published.expect("publishing ends in time");
        assert!(
            matches!(published, Err(PortError::Unavailable(_))),
            "{published:?}"
        );
        let subscribed = timeout(IN_TIME, bus.subscribe()).await;
        let subscribed = subscribed.expect("subscribing ends in time");
        assert!(matches!(subscribed, Err(PortError::Unavailable(_))));
        assert!(bus.check().await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silently_broken_connection_is_detected() {
    let proxy = CuttingProxy::forward_to(address_of(postgres().url())).await;
    let database = connect_unhurried(postgres().url()).await;
    let listen_url = through(&proxy, postgres().url());
    let channel = unique_uuid().to_string();
    let bus = PostgresBus::open(&database, Some(&listen_url), &channel).expect("the URL is valid");
    let mut subscription = subscribe(&bus).await;
    proxy.set(ProxyMode::BlackHole);
    // Only an event would show that the fault was detected, and no event can pass the black hole.
    // The proxy closes a connection afterwards only if something was sent on it meanwhile.
    assert!(
        timeout(Duration::from_millis(2500), subscription.next())
            .await
            .is_err()
    );
    proxy.set(ProxyMode::Pass);
    assert_eq!(next(&mut *subscription).await, BusEvent::Reconnected);
    assert_resumes(&bus, &mut *subscription).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_that_messages_do_not_reach_is_refused() {
    let (published, listened) = (postgres().fresh_database(), postgres().fresh_database());
    let database = connect_unhurried(published.url()).await;
    let bus = PostgresBus::open(&database, Some(listened.url()), "bus").expect("the URL is valid");
    let refused = bus.subscribe().await.err().expect("nothing arrives");
    let PortError::Unavailable(refused) = refused else {
        panic!("{refused:?}");
    };
    assert!(chain(&*refused).contains("not through a pooler"), "{refused:?}");
    let unhealthy = bus.check().await.expect_err("the last subscription failed");
    assert!(
        chain(&unhealthy).contains("not through a pooler"),
        "{unhealthy:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn equal_messages_that_are_sent_together_arrive_each() {
    const MESSAGES: usize = 100;
    let bus = bus_in(
        &connect_unhurried(postgres().url()).await,
        &unique_uuid().to_string(),
    );
    let mut subscription = subscribe(&bus).await;
    publish_together(&bus, (0..MESSAGES).map(|number| vec![u8::from(number % 2 == 0)])).await;
    let mut received = BTreeMap::<_, usize>::new();
    for _ in 0..MESSAGES {
        let BusEvent::Message(message) = next(&mut *subscription).await else {
            panic!("a gap on a healthy bus");
        };
        *received.entry(message).or_default() += 1;
    }
    assert_eq!(
        received,
        BTreeMap::from([(vec![0], MESSAGES / 2), (vec![1], MESSAGES / 2)])
    );
}

async fn publish_together(bus: &PostgresBus, messages: impl Iterator<Item = Vec<u8>>) {
    let mut publishing = JoinSet::new();
    for message in messages {
        let bus = bus.clone();
        publishing.spawn(async move { bus.publish(message).await });
    }
    for published in publishing.join_all().await {
        published.expect("a healthy bus accepts a message");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_messages_share_transactions() {
    const MESSAGES: u8 = 200;
    // Transactions are counted, so no other test may use the server.
    let own = Postgres::start_own();
    let bus = bus_in(&connect_unhurried(own.url()).await, "bus");
    bus.publish(Vec::new()).await.expect("the bus is healthy");
    let before = transactions(own.url()).await;
    publish_together(&bus, (0..MESSAGES).map(|number| vec![number])).await;
    let used = transactions(own.url()).await - before;
    assert!(used < i64::from(MESSAGES) / 4, "{used} transactions");
}

/// Returns the number of transactions that have changed or notified anything.
async fn transactions(url: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Current {
        #[diesel(sql_type = BigInt)]
        current: i64,
    }
    let mut conn = AsyncPgConnection::establish(url)
        .await
        .expect("the database accepts connections");
    let current = sql_query("SELECT txid_current() AS current").get_result::<Current>(&mut conn);
    current.await.expect("the query succeeds").current
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_subscriber_gets_a_gap_and_then_the_newest_messages() {
    const MESSAGES: u16 = 3000;
    let bus = bus_in(
        &connect_unhurried(postgres().url()).await,
        &unique_uuid().to_string(),
    );
    let mut subscription = subscribe(&bus).await;
    publish_together(&bus, (1..MESSAGES).map(|number| number.to_be_bytes().to_vec())).await;
    let last = BusEvent::Message(b"last".to_vec());
    bus.publish(b"last".to_vec()).await.expect("the bus is healthy");
    let mut events = vec![next(&mut *subscription).await];
    while events.last() != Some(&last) {
        events.push(next(&mut *subscription).await);
    }
    assert!(events.contains(&BusEvent::Reconnected));
    assert!(events.len() < usize::from(MESSAGES));
}

#[tokio::test(flavor = "multi_thread")]
async fn channels_are_isolated() {
    let database = connect_unhurried(postgres().url()).await;
    let [one, other] =
        [unique_uuid(), unique_uuid()].map(|channel| bus_in(&database, &format!("a\"{channel}")));
    let mut subscription = subscribe(&one).await;
    other
        .publish(b"elsewhere".to_vec())
        .await
        .expect("the bus is healthy");
    one.publish(b"here".to_vec()).await.expect("the bus is healthy");
    assert_eq!(
        next(&mut *subscription).await,
        BusEvent::Message(b"here".to_vec())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_subscription_closes_its_connection() {
    let own = Postgres::start_own();
    let bus = bus_in(&connect_unhurried(own.url()).await, "bus");
    // The last statement of a connection that listens is the one for its probe, or a ping.
    let listening =
        "SELECT count(*) FROM pg_stat_activity WHERE query IN ('SELECT pg_backend_pid()', 'SELECT 1')";
    let until = async |count: &str| {
        let reached = async {
            while block_in_place(|| Postgres::execute(&own, listening)).trim() != count {
                yield_now().await;
            }
        };
        timeout(IN_TIME, reached)
            .await
            .expect("the connections are opened and closed");
    };
    let subscription = subscribe(&bus).await;
    until("1").await;
    drop(subscription);
    until("0").await;
}

#[tokio::test]
async fn a_malformed_listen_url_is_refused_without_connecting() {
    let database = connect_unhurried(postgres().url()).await;
    for url in ["", "mysql://localhost/authapi", "postgres:///authapi"] {
        let refused = PostgresBus::open(&database, Some(url), "bus").err();
        assert!(
            matches!(refused, Some(ConnectError::Url(_))),
            "{url}: {refused:?}"
        );
    }
}
