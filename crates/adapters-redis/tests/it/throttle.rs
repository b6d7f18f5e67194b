//! Budgets, their arithmetic, and their representation in Redis.

use super::{
    account_key, allowed_of, budget, budgets, client_key, eventually, raw, redis, redis_cluster, take,
    throttle_on,
};
use adapters_redis::{Budgets, RedisThrottle};
use deadpool_redis::redis::{Commands, Connection, cmd};
use domain::throttle::ThrottleDecision;
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
            takers.spawn(async move { allowed_of(10, &*replica, &account_key("alice")).await });
        }
        let allowed: u32 = takers.join_all().await.iter().sum();
        assert_eq!(allowed, 20);
    }
}

#[tokio::test]
async fn a_script_missing_from_the_cache_is_sent_again() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "", budgets(3, HOUR));
    assert_eq!(allowed_of(1, &throttle, &client_key(1)).await, 1);
    let () = cmd("SCRIPT")
        .arg("FLUSH")
        .query(&mut raw(own.url()))
        .expect("Redis executes the command");
    assert_eq!(
        allowed_of(9, &throttle, &client_key(1)).await,
        2,
        "earlier attempts still count"
    );
}

#[tokio::test]
async fn after_flushall_every_budget_is_full() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "", budgets(3, HOUR));
    assert_eq!(allowed_of(9, &throttle, &client_key(1)).await, 3);
    let () = cmd("FLUSHALL")
        .query(&mut raw(own.url()))
        .expect("Redis executes the command");
    assert_eq!(allowed_of(9, &throttle, &client_key(1)).await, 3);
}

#[tokio::test]
async fn the_wait_is_the_time_until_the_next_attempt_is_restored() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(1000)));
    assert_eq!(allowed_of(1, &throttle, &client_key(1)).await, 1);
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
            .set(&key, before + until_full * SECOND)
            .expect("Redis stores the value");

        let decision = take(&throttle, &client_key(1)).await;

        let elapsed = Duration::from_micros(now(&mut redis_itself) - before);
        match (decision, wait) {
            (ThrottleDecision::Allowed, None) => {
                let stored: u64 = redis_itself.get(&key).expect("the key exists");
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
            (ThrottleDecision::Refused { retry_after }, Some(wait)) => {
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
async fn a_clock_set_back_does_not_lock_clients_out() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(10)));
    assert_eq!(allowed_of(1, &throttle, &client_key(1)).await, 1);
    let key = only_key(&mut redis_itself, &prefix);
    let in_a_year = now(&mut redis_itself) + 365 * 24 * 3600 * SECOND;
    let () = redis_itself.set(&key, in_a_year).expect("Redis stores the value");
    let ThrottleDecision::Refused { retry_after } = take(&throttle, &client_key(1)).await else {
        panic!("a budget that is far from full allowed an attempt");
    };
    assert_eq!(retry_after, Duration::from_secs(10));
}

#[tokio::test]
async fn a_value_that_is_not_a_number_counts_as_a_full_budget() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, HOUR));
    assert_eq!(allowed_of(3, &throttle, &client_key(1)).await, 3);
    let key = only_key(&mut redis_itself, &prefix);
    let () = redis_itself
        .set(&key, "nonsense")
        .expect("Redis stores the value");
    assert_eq!(allowed_of(9, &throttle, &client_key(1)).await, 3);
}

#[tokio::test]
async fn a_key_expires_when_its_budget_is_full() {
    let (mut redis_itself, prefix) = (raw(redis().url()), redis().fresh_prefix());
    let throttle = throttle_on(redis().url(), &prefix, budgets(3, Duration::from_secs(1000)));
    assert_eq!(allowed_of(9, &throttle, &client_key(1)).await, 3);
    let key = only_key(&mut redis_itself, &prefix);
    let left: u64 = redis_itself.pttl(&key).expect("Redis returns the time to live");
    assert!((2_900_000..=3_000_000).contains(&left), "{left} ms");

    let prefix = redis().fresh_prefix();
    let throttle = throttle_on(redis().url(), &prefix, budgets(1, Duration::from_millis(50)));
    assert_eq!(allowed_of(1, &throttle, &client_key(1)).await, 1);
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
    assert_eq!(take(&throttle, &client_key(1)).await, ThrottleDecision::Allowed);
    eventually("an attempt is restored", async || {
        take(&throttle, &client_key(1)).await == ThrottleDecision::Allowed
    })
    .await;
    let waited = start.elapsed();
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
}

#[tokio::test]
async fn redis_contains_no_login_in_plain_text() {
    let own = Redis::start_own();
    let throttle = throttle_on(own.url(), "authapi:", budgets(3, HOUR));
    assert_eq!(
        allowed_of(1, &throttle, &account_key("alice@example.com")).await,
        1
    );
    let mut redis_itself = raw(own.url());
    let key = only_key(&mut redis_itself, "authapi:");
    let value: String = redis_itself.get(&key).expect("the key exists");
    // SHA-256 of the login, computed independently:
    // printf alice@example.com | openssl dgst -sha256 -binary | basenc --base64url
    assert_eq!(
        key,
        "authapi:throttle:{account:_42YGfwOEr8NJIkuRZh-JJoo3Og2qFytYOKOqqjG2XY}"
    );
    assert!(!key.contains("alice") && !value.contains("alice"));
}

#[tokio::test]
async fn the_shared_budget_applies_in_addition_to_each_keys_own() {
    let budgets = Budgets {
        global: Some(budget(5, HOUR)),
        ..budgets(3, HOUR)
    };
    let throttle = throttle_on(redis().url(), &redis().fresh_prefix(), budgets);
    // A key whose own budget is exhausted does not consume the shared one.
    assert_eq!(allowed_of(100, &throttle, &client_key(1)).await, 3);
    assert_eq!(allowed_of(9, &throttle, &client_key(2)).await, 2);
    assert_eq!(allowed_of(9, &throttle, &account_key("alice")).await, 0);
}

#[tokio::test]
async fn keys_are_distributed_over_the_cluster() {
    let (cluster, prefix) = (redis_cluster(), redis_cluster().fresh_prefix());
    let throttle = throttle_on(&cluster.url(), &prefix, budgets(3, HOUR));
    for number in 0..60 {
        assert_eq!(allowed_of(1, &throttle, &client_key(number)).await, 1);
    }
    let keys_at = |url: &str| {
        raw(url)
            .keys::<_, Vec<String>>(format!("{prefix}*"))
            .expect("Redis returns the keys")
            .len()
    };
    let primaries = cluster.nodes().iter().filter(|node| {
        let role: (String,) = cmd("ROLE")
            .query(&mut raw(node.url()))
            .map(|(role, _, _): (String, u64, Vec<(String, String, String)>)| (role,))
            .unwrap_or_default();
        role.0 == "master"
    });
    let keys: Vec<_> = primaries.map(|node| keys_at(node.url())).collect();
    assert_eq!(keys.iter().sum::<usize>(), 60, "{keys:?}");
    assert!(keys.len() == 3 && keys.iter().all(|it| *it > 0), "{keys:?}");
}
