use super::{IN_TIME, chain, eventually, health_of, health_on, redis_cluster, service_client};
use domain::ports::{PortError, StorageHealth};
use std::time::Instant;
use testservers::Redis;

#[tokio::test(flavor = "multi_thread")]
async fn health_reports_within_its_bound_whether_redis_responds() {
    let own = Redis::start_own();
    let health = health_of(service_client(own.url()), "", "bus");
    eventually("Redis answers", async || health.check().await.is_ok()).await;
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
    let health = health_of(service_client(own.url()), "", "bus");
    let refused = health.check().await.expect_err("no server listens");
    let refused = chain(&refused);
    assert!(
        refused.starts_with("a dependency is unavailable: there is no connection to Redis: "),
        "{refused}"
    );
    assert!(refused.contains("refused"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_redis_or_the_url_prevents_is_reported_with_the_remedy() {
    let own = Redis::start_own();
    let closed = Redis::start_own();
    let mut admin = super::raw(closed.url());
    super::set(&mut admin, "requirepass", "open-sesame");
    let with = |redis: &Redis, credentials: &str| redis.url().replace("://", &format!("://{credentials}@"));
    for (url, remedy) in [
        (with(&closed, ":wrong"), "correct the user or the password"),
        (
            with(&closed, "unknown:open-sesame"),
            "correct the user or the password",
        ),
        (closed.url().to_owned(), "correct the user or the password"),
        (format!("{}/99", own.url()), "correct the database number"),
        (own.url().replace("redis:", "rediss:"), "its URL says rediss"),
    ] {
        let health = health_on(&url, "", "bus");
        let refused = chain(&health.check().await.expect_err(&url));
        assert!(refused.contains(remedy), "{url}: {refused}");
        assert!(
            !refused.contains("open-sesame") && !refused.contains("wrong"),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_cluster_is_healthy() {
    let health = health_of(
        service_client(&redis_cluster().url()),
        &redis_cluster().fresh_prefix(),
        "bus",
    );
    eventually("the Cluster answers", async || health.check().await.is_ok()).await;
}
