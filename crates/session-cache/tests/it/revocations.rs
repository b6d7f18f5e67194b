use crate::processes::World;
use domain::{
    invalidation::InvalidationScope,
    ports::{Revocations, SessionMemory},
};
use session_cache::LeaseRenewer;
use session_cache::{
    ports::{InvalidationBus, ReplicaLeases},
    protocol::Message,
};
use std::{sync::Arc, time::Duration};
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
    while let session_cache::ports::BusEvent::Message(bytes) = subscription.next().await {
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
