use crate::processes::World;
use async_trait::async_trait;
use domain::{
    invalidation::InvalidationScope,
    ports::{PortError, Revocations, SessionMemory},
};
use session_cache::LeaseRenewer;
use session_cache::{
    ports::{BusEvent, BusSubscription, InvalidationBus, ReplicaLeases},
    protocol::{Message, PublicationId, ReplicaId},
};
use std::{sync::Arc, time::Duration};
use testkit::{MemoryBus, fixtures::unique_uuid};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep},
};

#[tokio::test(start_paused = true)]
async fn no_replica_serves_a_stale_snapshot_after_a_completed_revocation() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let processes = [world.process(), world.process(), world.process()];
    for process in &processes {
        process.warm_up(session).await;
    }
    world.end_all(&alice).await;
    let began = Instant::now();
    processes[0].publish(&alice).await;
    assert!(
        began.elapsed() < Duration::from_millis(50),
        "{:?}",
        began.elapsed()
    );
    for process in &processes {
        assert!(process.coherence.holds_lease());
        assert!(!process.alive(session).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_process_that_serves_no_requests_can_revoke() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let (server, command_line) = (world.process(), world.process());
    server.warm_up(session).await;
    world.end_all(&alice).await;
    let began = Instant::now();
    command_line.publish(&alice).await;
    assert!(
        began.elapsed() < Duration::from_millis(50),
        "{:?}",
        began.elapsed()
    );
    assert!(!server.alive(session).await);
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_receives_nothing_is_waited_out() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let (revoker, silent) = (world.process(), world.process());
    silent.warm_up(session).await;
    silent.listener.abort();
    sleep(Duration::from_millis(1)).await;
    world.end_all(&alice).await;
    let began = Instant::now();
    // Two publications: the second finds a lease that the first has evicted.
    let second = async {
        sleep(Duration::from_millis(210)).await;
        revoker.publish(&alice).await;
        assert!(!silent.alive(session).await, "after the second");
    };
    let first = async {
        revoker.publish(&alice).await;
        assert!(!silent.alive(session).await, "after the first");
        assert!(
            began.elapsed() < Duration::from_millis(2500),
            "{:?}",
            began.elapsed()
        );
    };
    let served = async {
        for _ in 0..10 {
            sleep(Duration::from_millis(100)).await;
            silent.alive(session).await;
        }
    };
    tokio::join!(first, second, served);
}

#[tokio::test(start_paused = true)]
async fn without_the_lease_holders_a_revocation_waits_until_every_snapshot_has_expired() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let (revoker, server) = (world.process(), world.process());
    server.warm_up(session).await;
    server.listener.abort();
    world.end_all(&alice).await;
    world.leases.disconnect();
    let began = Instant::now();
    revoker.publish(&alice).await;
    assert!(
        began.elapsed() >= Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
    assert!(began.elapsed() < Duration::from_secs(31), "{:?}", began.elapsed());
    assert!(!server.alive(session).await);
}

#[tokio::test(start_paused = true)]
async fn a_recovered_database_ends_the_wait() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let (revoker, server) = (world.process(), world.process());
    server.warm_up(session).await;
    world.end_all(&alice).await;
    world.leases.disconnect();
    let back = async {
        sleep(Duration::from_secs(3)).await;
        world.leases.reconnect();
    };
    let began = Instant::now();
    tokio::join!(revoker.publish(&alice), back);
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert!(!server.alive(session).await);
}

#[tokio::test(start_paused = true)]
async fn concurrent_revocations_share_messages() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let (revoker, server) = (Arc::new(world.process()), world.process());
    server.warm_up(session).await;
    let mut subscription = world
        .bus
        .subscribe()
        .await
        .expect("the bus accepts the subscription");
    let mut revocations = JoinSet::new();
    for _ in 0..200 {
        let revoker = Arc::clone(&revoker);
        revocations.spawn(async move {
            revoker
                .revocations
                .publish(vec![InvalidationScope::Session(session)])
                .await;
        });
    }
    revocations.join_all().await;
    world.bus.publish(Vec::new()).await.expect("the bus is available");
    let mut messages = 0;
    while let BusEvent::Message(bytes) = subscription.next().await {
        if bytes.is_empty() {
            break;
        }
        messages += u32::from(matches!(Message::decode(&bytes), Ok(Message::Invalidate { .. })));
    }
    assert!((1..20).contains(&messages), "{messages} messages");
}

#[tokio::test(start_paused = true)]
async fn malformed_messages_are_ignored_and_unknown_ones_invalidate_everything() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    let reads = process.reads();
    for (bytes, read_again) in [(vec![], 0), (vec![1, 1, 7], 0), (vec![9, 9, 9], 1)] {
        world.bus.publish(bytes).await.expect("the bus accepts any bytes");
        sleep(Duration::from_millis(1)).await;
        assert!(process.alive(session).await);
        assert_eq!(process.reads(), reads + read_again);
    }
    world.bus.tear();
    sleep(Duration::from_millis(1)).await;
    assert!(process.alive(session).await);
    assert_eq!(process.reads(), reads + 2);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_leaves_holds_no_lease() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    process.renewer.abort();
    LeaseRenewer::new(Arc::clone(&process.coherence)).leave().await;
    assert!(!process.coherence.holds_lease());
    assert_eq!(
        world.leases.holders().await.expect("the leases are available"),
        []
    );
}

#[tokio::test(start_paused = true)]
async fn an_idle_replica_gives_up_its_lease() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    sleep(Duration::from_secs(10)).await;
    assert_eq!(
        world.leases.holders().await.expect("the leases are available"),
        []
    );
    process.warm_up(session).await;
}

/// A bus that takes 150 ms to accept a message, as on a saturated pool of connections.
struct SlowBus(MemoryBus);

#[async_trait]
impl InvalidationBus for SlowBus {
    async fn publish(&self, message: Vec<u8>) -> Result<(), PortError> {
        sleep(Duration::from_millis(150)).await;
        self.0.publish(message).await
    }

    async fn subscribe(&self) -> Result<Box<dyn BusSubscription>, PortError> {
        self.0.subscribe().await
    }
}

/// Publishes `count` invalidations to a replica on a slow bus, and returns how long it takes to
/// acknowledge all of them.
async fn time_to_acknowledge(count: u64) -> Duration {
    let world = World::default();
    let replica = world.process_on(Arc::new(SlowBus(world.bus.clone())));
    replica.coherence.subscribed().await;
    let subscription = world.bus.subscribe().await;
    let mut subscription = subscription.expect("the bus accepts the subscription");
    let began = Instant::now();
    for number in 0..count {
        let publication = PublicationId {
            publisher: ReplicaId(unique_uuid()),
            number,
        };
        let message = Message::invalidate(publication, vec![InvalidationScope::Everything]);
        world
            .bus
            .publish(message.encode())
            .await
            .expect("the bus is available");
    }
    let mut left = count;
    while left > 0 {
        let BusEvent::Message(bytes) = subscription.next().await else {
            panic!("a message was lost");
        };
        left -= u64::from(matches!(Message::decode(&bytes), Ok(Message::Acknowledge { .. })));
    }
    began.elapsed()
}

#[tokio::test(start_paused = true)]
async fn a_bus_that_is_slow_to_send_does_not_delay_later_acknowledgements() {
    let took = time_to_acknowledge(20).await;
    assert!(took < Duration::from_millis(200), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn the_number_of_acknowledgements_sent_at_once_is_bounded() {
    // Three rounds of up to 256.
    let took = time_to_acknowledge(600).await;
    assert!((450..600).contains(&took.as_millis()), "{took:?}");
}
