//! Revocations during faults, with three replicas on Postgres, with and without Redis, under a
//! mixed load. From the moment of each response on, probes ask every replica whether it still
//! accepts the revoked token.
//!
//! `AUTHAPI_TEST_REVOCATIONS` sets the minimum number of revocations under each fault, and
//! `AUTHAPI_TEST_REVOCATIONS_A_SECOND` their maximum rate.

mod causes;
mod health;
mod life;
mod load;
mod postgres_alone;
mod probes;
mod tally;
mod world;

use causes::{
    drop_messages, flush_redis, hold_a_replica, hold_messages_back, hold_redis, kill_a_replica, kill_redis,
    nothing, repeat_messages, step_the_clock,
};
use load::run;
use world::World;

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("nothing", world, nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_messages_are_lost_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("messages lost", world, drop_messages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_messages_are_delayed_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("messages late", world, hold_messages_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_messages_are_repeated_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("messages repeated", world, repeat_messages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_flushed_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("Redis flushed in a loop", world, flush_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_killed_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("Redis killed, started again", world, kill_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_suspended_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("Redis held still, let go", world, hold_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_suspended_accepts_nothing_that_was_revoked_meanwhile() {
    let world = World::start().await;
    run("a replica held still, let go", world, hold_a_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_replicas_are_killed_nothing_that_was_revoked_is_accepted() {
    let world = World::start().await;
    run("a replica killed, started again", world, kill_a_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_clock_jumps_by_an_hour_nothing_that_was_revoked_is_accepted() {
    let world = World::start_with_a_clock_to_step().await;
    run("a clock stepped by an hour", world, step_the_clock).await;
}
