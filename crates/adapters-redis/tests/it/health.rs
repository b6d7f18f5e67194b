use super::{IN_TIME, eventually, redis_cluster, service_client};
use adapters_redis::RedisHealth;
use domain::ports::{PortError, StorageHealth};
use std::{error::Error, time::Instant};
use testservers::Redis;

#[tokio::test(flavor = "multi_thread")]
async fn health_reports_within_its_bound_whether_redis_responds() {
    let own = Redis::start_own();
    let health = RedisHealth::new(service_client(own.url()));
    eventually("Redis responds", async || health.check().await.is_ok()).await;
    own.pause();
    let start = Instant::now();
    assert!(matches!(health.check().await, Err(PortError::Unavailable(_))));
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    own.resume();
    eventually("Redis responds", async || health.check().await.is_ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreachable_redis_is_reported_with_its_cause() {
    let own = Redis::start_own();
    own.kill();
    let health = RedisHealth::new(service_client(own.url()));
    let refused = health.check().await.expect_err("no server listens");
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
    let health = RedisHealth::new(service_client(&redis_cluster().url()));
    eventually("the Cluster responds", async || health.check().await.is_ok()).await;
}
