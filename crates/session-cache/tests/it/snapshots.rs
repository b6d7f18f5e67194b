use crate::processes::World;
use chrono::TimeDelta;
use domain::{
    invalidation::InvalidationScope,
    ports::{Revocations, SessionMemory},
};
use std::{sync::Arc, time::Duration};
use tokio::{task::JoinSet, time::sleep};

#[tokio::test(start_paused = true)]
async fn a_replica_with_a_lease_answers_without_the_database() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    let reads = process.reads();
    for _ in 0..100 {
        assert!(process.alive(session).await);
    }
    assert_eq!(process.reads(), reads);
}

#[tokio::test(start_paused = true)]
async fn requests_are_answered_from_memory_until_the_lease_expires_while_the_database_is_unavailable() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    world.memory.disconnect();
    world.leases.disconnect();
    assert!(process.alive(session).await);
    sleep(Duration::from_millis(1900)).await;
    assert!(process.ask(session).await.is_err());
    world.memory.reconnect();
    world.leases.reconnect();
    process.warm_up(session).await;
}

#[tokio::test(start_paused = true)]
async fn concurrent_requests_share_a_read() {
    let world = World::default();
    let (_, first) = world.logged_in("alice").await;
    let (_, second) = world.logged_in("bob").await;
    let process = Arc::new(world.process());
    process.warm_up(first).await;
    let reads = process.reads();
    let mut requests = JoinSet::new();
    for _ in 0..100 {
        let process = Arc::clone(&process);
        requests.spawn(async move { process.alive(second).await });
    }
    assert_eq!(requests.join_all().await, [true; 100]);
    assert_eq!(process.reads(), reads + 1);
}

#[tokio::test(start_paused = true)]
async fn each_rejection_reads_once() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    world.end_all(&alice).await;
    process.publish(&alice).await;
    for _ in 0..3 {
        let reads = process.reads();
        assert!(!process.alive(session).await);
        assert_eq!(process.reads(), reads + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn an_unpublished_refresh_is_never_rejected() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    // The user changed, and another replica issued a token with the change.
    let refreshed = world.change_epoch(&alice, session).await;
    let reads = process.reads();
    assert!(process.alive(session).await);
    assert_eq!(process.reads(), reads + 1);
    assert!(process.alive(session).await);
    assert_eq!(process.reads(), reads + 1, "{refreshed:?} is cached now");
}

#[tokio::test(start_paused = true)]
async fn a_read_that_began_before_a_request_never_rejects_it() {
    let world = World::default();
    let (_, first) = world.logged_in("alice").await;
    let (bob, second) = world.logged_in("bob").await;
    let process = Arc::new(world.process());
    process.warm_up(first).await;
    let early = {
        let process = Arc::clone(&process);
        tokio::spawn(async move { process.alive(second).await })
    };
    // The task has read the database, and its result is on the way.
    tokio::task::yield_now().await;
    world.change_epoch(&bob, second).await;
    assert!(process.alive(second).await);
    early.await.expect("the request does not panic");
}

#[tokio::test(start_paused = true)]
async fn requests_waiting_for_a_cancelled_read_read_for_themselves() {
    let world = World::default();
    let (_, first) = world.logged_in("alice").await;
    let (_, second) = world.logged_in("bob").await;
    let process = Arc::new(world.process());
    process.warm_up(first).await;
    let spawned = |process: &Arc<crate::processes::Process>| {
        let process = Arc::clone(process);
        tokio::spawn(async move { process.alive(second).await })
    };
    let reader = spawned(&process);
    tokio::task::yield_now().await;
    let waiter = spawned(&process);
    tokio::task::yield_now().await;
    reader.abort();
    assert!(waiter.await.expect("the request does not panic"));
}

#[tokio::test(start_paused = true)]
async fn a_failed_read_fails_the_requests_waiting_for_it_and_no_later_ones() {
    let world = World::default();
    let (_, first) = world.logged_in("alice").await;
    let (_, second) = world.logged_in("bob").await;
    let process = Arc::new(world.process());
    process.warm_up(first).await;
    world.memory.disconnect();
    let (one, other) = tokio::join!(process.ask(second), process.ask(second));
    assert!(one.is_err() && other.is_err());
    world.memory.reconnect();
    assert!(process.alive(second).await);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_read_again_after_half_a_minute_without_an_invalidation() {
    let world = World::default();
    let (alice, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    world.end_all(&alice).await;
    assert!(
        process.alive(session).await,
        "the publisher died before it published"
    );
    for _ in 0..300 {
        sleep(Duration::from_millis(100)).await;
        process.alive(session).await;
    }
    assert!(!process.alive(session).await);
}

#[tokio::test(start_paused = true)]
async fn a_request_after_a_revocation_does_not_join_a_read_from_before() {
    let world = World::default();
    let (_, first) = world.logged_in("alice").await;
    let (bob, second) = world.logged_in("bob").await;
    for scope in [
        InvalidationScope::Session(second),
        InvalidationScope::User(bob.id),
        InvalidationScope::Everything,
    ] {
        let process = Arc::new(world.process());
        process.warm_up(first).await;
        let early = {
            let process = Arc::clone(&process);
            tokio::spawn(async move { process.alive(second).await })
        };
        // The task has read the database, and its result is on the way.
        tokio::task::yield_now().await;
        world.end_all(&bob).await;
        process.revocations.publish(vec![scope]).await;
        assert!(!process.alive(second).await, "{scope:?}");
        early.await.expect("the request does not panic");
        assert!(!process.alive(second).await, "{scope:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_replica_that_does_not_receive_its_own_messages_acquires_no_lease() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.listener.abort();
    for _ in 0..50 {
        assert!(process.alive(session).await);
        sleep(Duration::from_millis(100)).await;
    }
    assert!(!process.coherence.holds_lease());
}

/// A hypervisor pauses the machine, which stops its clocks. The lease expires meanwhile, so a
/// revocation completes without this replica, and the host then sets the calendar clock.
#[tokio::test(start_paused = true)]
async fn after_a_step_of_the_clock_the_database_is_read_until_the_lease_is_renewed() {
    for step in [
        TimeDelta::seconds(5),
        TimeDelta::seconds(-5),
        TimeDelta::milliseconds(60),
    ] {
        let world = World::default();
        let (alice, revoked) = world.logged_in("alice").await;
        let (_, live) = world.logged_in("bob").await;
        let process = world.process();
        process.warm_up(live).await;
        assert!(process.alive(revoked).await);
        world.end_all(&alice).await;
        world.calendar.step(step);

        assert!(!process.alive(revoked).await, "{step}");
        assert!(!process.coherence.holds_lease());
        let reads = process.reads();
        assert!(process.alive(live).await);
        assert!(process.alive(live).await);
        assert_eq!(process.reads(), reads + 2, "each request reads");
        process.warm_up(live).await;
        assert!(!process.alive(revoked).await, "{step}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_calendar_clock_that_is_slewed_costs_no_read() {
    let world = World::default();
    let (_, session) = world.logged_in("alice").await;
    let process = world.process();
    process.warm_up(session).await;
    let reads = process.reads();
    world.calendar.step(TimeDelta::milliseconds(40));
    assert!(process.alive(session).await);
    assert_eq!(process.reads(), reads);
}
