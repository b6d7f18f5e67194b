//! Revocations during faults without Redis: invalidations are sent with NOTIFY.

use super::{
    causes::{
        cut_connections, drop_messages, hold_a_replica, hold_messages_back, hold_postgres, kill_a_replica,
        kill_postgres, nothing, repeat_notifications,
    },
    load::run,
    world::World,
};

#[tokio::test(flavor = "multi_thread")]
async fn without_faults_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: nothing", world, nothing).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_notifications_are_lost_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: messages lost", world, drop_messages).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_notifications_are_delayed_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: messages late", world, hold_messages_back).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_notifications_are_repeated_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: messages repeated", world, repeat_notifications).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_connections_that_listen_are_cut_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: connections cut", world, cut_connections).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_killed_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: Postgres killed, started again", world, kill_postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_postgres_is_suspended_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: Postgres held still, let go", world, hold_postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_was_suspended_accepts_nothing_that_was_revoked_meanwhile() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: a replica held still, let go", world, hold_a_replica).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_replicas_are_killed_nothing_that_was_revoked_is_accepted() {
    let world = World::start_on_postgres_alone().await;
    run("NOTIFY: a replica killed, started again", world, kill_a_replica).await;
}
