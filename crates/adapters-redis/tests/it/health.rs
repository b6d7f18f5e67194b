use super::{eventually, hasty_client, redis_cluster};
use adapters_redis::RedisHealth;
use domain::ports::{PortError, StorageHealth};
use std::{
    error::Error,
    time::{Duration, Instant},
};
use testservers::Redis;

#[tokio::test(flavor = "multi_thread")]
async fn health_says_whether_redis_answers_and_says_so_in_time() {
    let own = Redis::start_own();
    let health = RedisHealth::new(hasty_client(own.url()));
    eventually("Redis answers", async || health.check().await.is_ok()).await;
    own.pause();
    let start = Instant::now();
    assert!(matches!(health.check().await, Err(PortError::Unavailable(_))));
    assert!(
        start.elapsed() < Duration::from_millis(500),
        "{:?}",
        start.elapsed()
    );
    own.resume();
    eventually("Redis answers", async || health.check().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_is_not_there_is_said_with_its_cause() {
    let own = Redis::start_own();
    own.kill();
    let health = RedisHealth::new(hasty_client(own.url()));
    let refused = health.check().await.expect_err("nobody is there");
    let mut chain = vec![refused.to_string()];
    let mut cause = refused.source();
    while let Some(error) = cause {
        chain.push(error.to_string());
        cause = error.source();
    }
    assert_eq!(
        chain.get(1).map(String::as_str),
        Some("there is no connection to Redis"),
        "{chain:?}"
    );
    assert!(chain.len() > 2, "{chain:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cluster_is_healthy() {
    let health = RedisHealth::new(hasty_client(&redis_cluster().url()));
    eventually("the Cluster answers", async || health.check().await.is_ok()).await;
}
