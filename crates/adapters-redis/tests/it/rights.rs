//! The rights that a Redis user needs, and how a missing one is reported.

use super::{budgets, client, eventually, health_on, in_session, log_in, raw, take};
use adapters_redis::{RedisBus, RedisThrottle};
use deadpool_redis::redis::{Connection, RedisResult, cmd};
use domain::{
    ports::{StorageHealth, Throttle},
    throttle::ThrottleDecision,
};
use session_cache::ports::{BusEvent, InvalidationBus};
use std::time::Duration;
use testservers::{Redis, RedisCluster, RedisSentinel};

const OPERATIONS: &str = include_str!("../../../../docs/operations.md");
const PASSWORD: &str = "open-sesame";
/// The names that the service uses.
const PREFIX: &str = "authapi:";
const CHANNEL: &str = "authapi:invalidations";

/// Creates the user of `docs/operations.md` on a server, with `further` rights.
fn create_user(admin: &mut Connection, further: &[&str]) {
    let line = OPERATIONS
        .lines()
        .find_map(|line| line.strip_prefix("ACL SETUSER "));
    let line = line.expect("a line with the rights").replace('\'', "");
    let rights = line.replace("PASSWORD", PASSWORD);
    let mut create = cmd("ACL");
    create
        .arg("SETUSER")
        .arg(rights.split(' ').collect::<Vec<_>>())
        .arg(further);
    let () = create.query(admin).expect("a user");
}

fn change(admin: &mut Connection, rights: &[&str]) {
    let done: RedisResult<()> = cmd("ACL").arg("SETUSER").arg("authapi").arg(rights).query(admin);
    done.expect("a change of rights");
}

fn as_user(url: &str) -> String {
    url.replace("://", &format!("://authapi:{PASSWORD}@"))
}

/// Does all that the service does.
async fn use_everything(url: &str) {
    let redis = client(url);
    let budgets = budgets(5, Duration::from_hours(1));
    let throttle = RedisThrottle::new(redis.clone(), PREFIX, &budgets).expect("budgets that can be counted");
    for number in 0..10 {
        assert_eq!(
            take(&throttle, &in_session(number)).await,
            ThrottleDecision::Allowed
        );
    }
    for number in 0..6 {
        // The last one is refused, and gets a turn.
        let attempt = log_in("alice", number);
        take(&throttle, &attempt).await;
        throttle.succeeded(&attempt, ThrottleDecision::Allowed).await;
    }
    let bus = RedisBus::new(redis, CHANNEL);
    let mut subscription = bus.subscribe().await.expect("a subscription");
    bus.publish(b"here".to_vec()).await.expect("a published message");
    assert_eq!(subscription.next().await, BusEvent::Message(b"here".to_vec()));
    // Long enough for the subscription to be pinged.
    let silent = tokio::time::timeout(Duration::from_millis(1500), subscription.next()).await;
    assert!(silent.is_err(), "{silent:?}");
    let health = health_on(url, PREFIX, CHANNEL);
    health.check().await.expect("all rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_suffice_on_a_node() {
    let own = Redis::start_own();
    create_user(&mut raw(own.url()), &[]);
    use_everything(&as_user(own.url())).await;
    let in_database = format!("{}/3", as_user(own.url()));
    create_user(&mut raw(own.url()), &["+select"]);
    use_everything(&in_database).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_suffice_behind_a_sentinel() {
    let group = RedisSentinel::start();
    create_user(&mut raw(group.primary().url()), &["+role"]);
    use_everything(&as_user(&group.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_suffice_in_a_cluster() {
    let cluster = RedisCluster::start(3);
    for node in cluster.nodes() {
        create_user(&mut raw(node.url()), &["+cluster|slots"]);
    }
    use_everything(&as_user(&cluster.url())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_missing_right_is_found_and_named_and_found_again_when_granted() {
    let own = Redis::start_own();
    let mut admin = raw(own.url());
    create_user(&mut admin, &[]);
    let health = health_on(&as_user(own.url()), PREFIX, CHANNEL);
    health.check().await.expect("all rights");
    let (counting, publishing) = ("counting attempts in keys authapi:{throttle}:*", CHANNEL);
    for (revoked, named) in [
        ("-evalsha", counting),
        ("-eval", counting),
        ("-time", counting),
        ("-get", counting),
        ("-set", counting),
        ("resetkeys", counting),
        ("-publish", publishing),
        ("resetchannels", publishing),
        ("-ping", "Redis rejected the command"),
    ] {
        change(&mut admin, &[revoked]);
        // Otherwise EVAL is not used.
        let () = cmd("SCRIPT").arg("FLUSH").query(&mut admin).expect("a flush");
        let refused = super::chain(&health.check().await.expect_err(revoked));
        assert!(refused.contains(named), "{revoked}: {refused}");
        assert!(refused.contains("its user lacks a right"), "{revoked}: {refused}");
        create_user(&mut admin, &[]);
        health.check().await.expect("all rights again");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_to_subscribe_is_found() {
    let own = Redis::start_own();
    let mut admin = raw(own.url());
    create_user(&mut admin, &["-subscribe"]);
    let redis = client(&as_user(own.url()));
    let health = super::health_of(redis.clone(), PREFIX, CHANNEL);
    let bus = RedisBus::new(redis, CHANNEL);
    assert!(bus.subscribe().await.is_err());
    let refused = super::chain(&health.check().await.expect_err("no subscription"));
    assert!(
        refused.contains("subscribing to the channel") && refused.contains("its user lacks a right"),
        "{refused}"
    );
    create_user(&mut admin, &[]);
    let _subscription = bus.subscribe().await.expect("a subscription");
    health.check().await.expect("all rights");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_leaves_no_key_and_takes_no_attempt() {
    let own = Redis::start_own();
    let health = health_on(own.url(), PREFIX, CHANNEL);
    health.check().await.expect("Redis answers");
    let keys: u64 = cmd("DBSIZE").query(&mut raw(own.url())).expect("a number");
    assert_eq!(keys, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_without_free_memory_is_reported() {
    let own = Redis::start_own();
    let mut admin = raw(own.url());
    let health = health_on(own.url(), PREFIX, CHANNEL);
    health.check().await.expect("Redis answers");
    super::set(&mut admin, "maxmemory", "1mb");
    let throttle = super::throttle_on(own.url(), PREFIX, budgets(5, Duration::from_hours(1)));
    eventually("the write is rejected", async || {
        throttle.take(&in_session(1)).await.is_err()
    })
    .await;
    let refused = super::chain(&health.check().await.expect_err("no memory"));
    assert!(refused.contains("OOM"), "{refused}");
}
