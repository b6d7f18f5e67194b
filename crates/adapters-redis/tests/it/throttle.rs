//! Budgets, their arithmetic, and their representation in Redis.

use super::{
    age, allowed_of, budget, budgets, eventually, in_session, log_in, raw, redis, redis_cluster, take,
    throttle_on,
};
use adapters_redis::RedisThrottle;
use deadpool_redis::redis::{Commands, Connection, cmd};
use domain::{
    ports::Throttle,
    throttle::{Budgets, ThrottleDecision},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use testservers::Redis;
use tokio::task::JoinSet;

const HOUR: Duration = Duration::from_hours(1);
const SECOND: u64 = 1_000_000;

/// The clock of Redis, in microseconds.
fn now(redis: &mut Connection) -> u64 {
    let (seconds, micros): (u64, u64) = cmd("TIME").query(redis).expect("Redis returns its time");
    seconds * SECOND + micros
}

/// The name of the only key with this prefix.
fn only_key(redis: &mut Connection, prefix: &str) -> String {
    let keys: Vec<String> = redis.keys(format!("{prefix}*")).expect("Redis returns the keys");
    assert_eq!(keys.len(), 1, "{keys:?}");
    keys.concat()
}

/// The time in a key.
fn full_at(redis: &mut Connection, key: &str) -> u64 {
    let value: String = redis.get(key).expect("the key exists");
    let (time, _) = value.split_once(' ').expect("the key holds two times");
    time.parse().expect("the key holds a time")
}

/// The keys with this prefix, and their values. Leaves out keys that expire meanwhile.
fn keys(redis: &mut Connection, prefix: &str) -> Vec<(String, String)> {
    let names: Vec<String> = redis.keys(format!("{prefix}*")).expect("Redis returns the keys");
    let values = names.into_iter().filter_map(|name| {
        let value: Option<String> = redis.get(&name).expect("Redis returns the value");
        Some((name, value?))
    });
    values.collect()
}

/// The only turn, if there is one.
fn turn(redis: &mut Connection, prefix: &str) -> Option<(String, String)> {
    keys(redis, prefix)
        .into_iter()
        .find(|(name, _)| name.contains(":turn:"))
}

/// Budgets of which only that of accounts is used up.
fn budgets_for_turns() -> Budgets {
    Budgets {
        account: budget(1, HOUR),
        ..budgets(100, HOUR)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_concurrent_attempts_on_four_replicas_get_exactly_the_burst() {
    for (url, prefix) in [
        (redis().url().to_owned(), redis().fresh_prefix()),
        (redis_cluster().url(), redis_cluster().fresh_prefix()),
    ] {
        let replicas = [(); 4].map(|()| Arc::new(throttle_on(&url, &prefix, budgets(20, HOUR))));
        let mut takers = JoinSet::new();
        for taker in 0..64 {
            let replica: Arc<RedisThrottle> = Arc::clone(&replicas[taker % replicas.len()]);
            takers.spawn(async move { allowed_of(10, &*replica, &in_session(1)).await });
        }
        let allowed: u32 = takers.join_all().await.iter().sum();
        assert_eq!(allowed, 20);
    }
}

#[tokio::test]
async fn a_script_missing_from_the_cache_is_sent_again() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "", budgets(3, HOUR));
    assert_eq!(allowed_of(1, &throttle, &in_session(1)).await, 1);
    let () = cmd("SCRIPT")
        .arg("FLUSH")
        .query(&mut raw(own.url()))
        .expect("Redis executes the command");
    assert_eq!(
        allowed_of(9, &throttle, &in_session(1)).await,
        2,
        "earlier attempts still count"
    );
}

#[tokio::test]
async fn after_flushall_every_budget_is_full() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "", budgets(3, HOUR));
    assert_eq!(allowed_of(9, &throttle, &in_session(1)).await, 3);
    let () = cmd("FLUSHALL")
        .query(&mut raw(own.url()))
        .expect("Redis executes the command");
    assert_eq!(allowed_of(9, &throttle, &in_session(1)).await, 3);
}

#[tokio::test]
async fn the_wait_is_the_time_until_the_next_attempt_is_restored() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(1000)));
    assert_eq!(allowed_of(1, &throttle, &in_session(1)).await, 1);
    let key = only_key(&mut redis_itself, &prefix);
    // Each case has the time in seconds until the budget is full, and the wait that follows. An
    // empty budget refills in 3,000 s. The steps are far longer than a test takes.
    for (until_full, wait) in [
        (3000, Some(1000)),
        (2500, Some(500)),
        (2100, Some(100)),
        (2000, None),
        (1900, None),
        (0, None),
    ] {
        let before = now(&mut redis_itself);
        let () = redis_itself
            .set(&key, format!("{} {before}", before + until_full * SECOND))
            .expect("Redis stores the value");

        let decision = take(&throttle, &in_session(1)).await;

        let elapsed = Duration::from_micros(now(&mut redis_itself) - before);
        match (decision, wait) {
            (ThrottleDecision::Allowed, None) => {
                let stored = full_at(&mut redis_itself, &key);
                if until_full > 0 {
                    assert_eq!(
                        stored,
                        before + (until_full + 1000) * SECOND,
                        "exactly one more attempt is taken"
                    );
                } else {
                    assert!(stored >= before + 1000 * SECOND, "a full budget less one attempt");
                }
            }
            (ThrottleDecision::Refused { retry_after, .. }, Some(wait)) => {
                let wait = Duration::from_secs(wait);
                assert!(
                    retry_after <= wait && retry_after + elapsed >= wait,
                    "{retry_after:?} of {wait:?}"
                );
            }
            other => panic!("{other:?} at {until_full} s"),
        }
    }
}

#[tokio::test]
async fn a_clock_set_back_locks_no_client_out() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets_for_turns());
    take(&throttle, &log_in("alice", 0)).await;
    let refused = take(&throttle, &log_in("alice", 3)).await;
    assert_ne!(refused, ThrottleDecision::Allowed, "the network has a turn");
    // As if the clock had been a day ahead when the keys were written.
    for (key, value) in keys(&mut redis_itself, &prefix) {
        let times = value
            .split(' ')
            .map(|time| time.parse::<u64>().expect("the key holds times"));
        let later: Vec<_> = times
            .map(|time| (time + 24 * 3600 * SECOND).to_string())
            .collect();
        let () = redis_itself
            .set(key, later.join(" "))
            .expect("Redis stores the value");
    }
    assert_eq!(
        take(&throttle, &log_in("alice", 3)).await,
        ThrottleDecision::Allowed
    );
}

#[tokio::test]
async fn a_smaller_budget_applies_to_the_keys_of_a_larger_one() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(10)));
    assert_eq!(allowed_of(1, &throttle, &in_session(1)).await, 1);
    let key = only_key(&mut redis_itself, &prefix);
    let written = now(&mut redis_itself);
    let in_a_year = written + 365 * 24 * 3600 * SECOND;
    let () = redis_itself
        .set(&key, format!("{in_a_year} {written}"))
        .expect("Redis stores the value");
    let ThrottleDecision::Refused { retry_after, .. } = take(&throttle, &in_session(1)).await else {
        panic!("a budget that is far from full allowed an attempt");
    };
    assert_eq!(retry_after, Duration::from_secs(10));
}

#[tokio::test]
async fn a_value_that_is_not_a_number_counts_as_a_full_budget() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, HOUR));
    assert_eq!(allowed_of(3, &throttle, &in_session(1)).await, 3);
    let key = only_key(&mut redis_itself, &prefix);
    let () = redis_itself
        .set(&key, "nonsense")
        .expect("Redis stores the value");
    assert_eq!(allowed_of(9, &throttle, &in_session(1)).await, 3);
}

#[tokio::test]
async fn a_key_expires_when_its_budget_is_full() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(1000)));
    assert_eq!(allowed_of(9, &throttle, &in_session(1)).await, 3);
    let key = only_key(&mut redis_itself, &prefix);
    let left: u64 = redis_itself.pttl(&key).expect("Redis returns the time to live");
    assert!((2_900_000..=3_000_000).contains(&left), "{left} ms");

    let prefix = redis().fresh_prefix();
    let throttle = throttle_on(redis().url(), &prefix, budgets(1, Duration::from_millis(50)));
    assert_eq!(allowed_of(1, &throttle, &in_session(1)).await, 1);
    eventually("the key expires", async || {
        let keys: Vec<String> = redis_itself
            .keys(format!("{prefix}*"))
            .expect("Redis returns the keys");
        keys.is_empty()
    })
    .await;
}

#[tokio::test]
async fn an_attempt_is_restored_after_its_interval() {
    let throttle = throttle_on(
        redis().url(),
        &redis().fresh_prefix(),
        budgets(1, Duration::from_millis(200)),
    );
    let start = Instant::now();
    assert_eq!(take(&throttle, &in_session(1)).await, ThrottleDecision::Allowed);
    eventually("an attempt is restored", async || {
        take(&throttle, &in_session(1)).await == ThrottleDecision::Allowed
    })
    .await;
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
}

#[tokio::test]
async fn redis_contains_no_login_in_plain_text() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "authapi:", budgets_for_turns());
    for number in 1..=2 {
        take(&throttle, &log_in("alice@example.com", number)).await;
    }
    let mut names: Vec<_> = keys(&mut raw(own.url()), "")
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    names.sort();
    // SHA-256 of the login, computed independently:
    // printf alice@example.com | openssl dgst -sha256 -binary | basenc --base64url
    let hash = "_42YGfwOEr8NJIkuRZh-JJoo3Og2qFytYOKOqqjG2XY";
    assert_eq!(
        names,
        [
            &format!("authapi:{{throttle}}:account:{hash}"),
            "authapi:{throttle}:failures:203.0.1.0/24",
            "authapi:{throttle}:failures:203.0.1.1/32",
            "authapi:{throttle}:network:203.0.1.0/24",
            "authapi:{throttle}:network:203.0.1.1/32",
            "authapi:{throttle}:service",
            &format!("authapi:{{throttle}}:turn:{hash}:203.0.2.0/24"),
        ]
    );
}

#[tokio::test]
async fn a_turn_expires_when_it_cannot_be_used_any_more() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets_for_turns());
    for number in 0..2 {
        take(&throttle, &log_in("alice", number)).await;
    }
    let (key, _) = turn(&mut redis_itself, &prefix).expect("the second network waits");
    let left: u64 = redis_itself.pttl(&key).expect("Redis returns the time to live");
    // It starts after an hour, and can be used for two more.
    assert!((10_700_000..=10_800_000).contains(&left), "{left} ms");

    age(&mut redis_itself, &prefix, HOUR);
    assert_eq!(
        take(&throttle, &log_in("alice", 1)).await,
        ThrottleDecision::Allowed
    );
    eventually("the turn that was used expires", async || {
        turn(&mut redis_itself, &prefix).is_none()
    })
    .await;
}

#[tokio::test]
async fn a_success_that_redis_cannot_count_fails_nothing() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "", budgets(3, HOUR));
    let attempt = log_in("alice", 1);
    assert_eq!(allowed_of(2, &throttle, &attempt).await, 2);
    let () = cmd("SCRIPT")
        .arg("FLUSH")
        .query(&mut raw(own.url()))
        .expect("Redis executes the command");
    throttle.succeeded(&attempt, ThrottleDecision::Allowed).await;
    let mut redis_itself = raw(own.url());
    let in_an_hour = now(&mut redis_itself) + 3600 * SECOND;
    let service = full_at(&mut redis_itself, "{throttle}:service");
    assert!(service <= in_an_hour, "one of two failures is returned");
    own.kill();
    throttle.succeeded(&attempt, ThrottleDecision::Allowed).await;
}

#[tokio::test]
async fn all_keys_are_on_one_node_of_a_cluster() {
    let (cluster, prefix) = (redis_cluster(), redis_cluster().fresh_prefix());
    let throttle = throttle_on(&cluster.url(), &prefix, budgets(3, HOUR));
    for number in 0..10 {
        assert_eq!(allowed_of(1, &throttle, &in_session(number)).await, 1);
        take(&throttle, &log_in("alice", 1)).await;
    }
    let primaries = cluster.nodes().iter().filter(|node| {
        let role: (String,) = cmd("ROLE")
            .query(&mut raw(node.url()))
            .map(|(role, _, _): (String, u64, Vec<(String, String, String)>)| (role,))
            .unwrap_or_default();
        role.0 == "master"
    });
    let counts = primaries.map(|node| keys(&mut raw(node.url()), &prefix).len());
    let mut counts: Vec<_> = counts.collect();
    counts.sort_unstable();
    assert!(matches!(counts[..], [0, 0, many] if many >= 16), "{counts:?}");
}
