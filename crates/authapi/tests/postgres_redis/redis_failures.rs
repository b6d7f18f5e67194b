//! A Redis that rejects what the service needs: readiness reports it, and the log names the cause
//! and the remedy.

use crate::{
    client::Client,
    server::{Place, Server},
};
use serde_json::Value;
use std::time::{Duration, Instant};
use testservers::Redis;
use tokio::time::sleep;

/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);
const OPERATIONS: &str = include_str!("../../../../docs/operations.md");

async fn wait_for_state(client: &Client, expected: &str) {
    let deadline = Instant::now() + TIMEOUT;
    loop {
        let ready = client.get("/health/ready").send_once().await;
        if (ready.status, ready.body.get("status").and_then(Value::as_str)) == (200, Some(expected)) {
            return;
        }
        assert!(Instant::now() < deadline, "{}", ready.body);
        sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for a line with this message whose `error` contains every part of `says`.
fn check_logged(server: &Server, message: &str, says: &[&str]) {
    let found = server.log().wait_for(TIMEOUT, |line| {
        let event: Value = serde_json::from_str(line).ok()?;
        let error = event.get("error")?.as_str()?;
        let is_it = event.get("message")? == message && says.iter().all(|part| error.contains(part));
        is_it.then_some(())
    });
    assert!(
        found.is_some(),
        "no {message:?} with {says:?}: {:#?}",
        server.log().lines()
    );
}

fn with_redis(url: &str) -> Place {
    Place::new()
        .with("THROTTLE__ENABLED", "true")
        .with("REDIS__URL", url)
}

/// Creates the user of `docs/operations.md` and returns the URL with its password.
fn create_user(redis: &Redis) -> String {
    let line = OPERATIONS.lines().find(|line| line.starts_with("ACL SETUSER "));
    let line = line.expect("the page states the rights").replace('\'', "");
    assert_eq!(redis.execute(&line), "+OK\r\n");
    redis.url().replace("://", "://authapi:PASSWORD@")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_redis_revokes_degrades_the_service_until_it_is_granted_again() {
    let redis = Redis::start_own();
    let server = with_redis(&create_user(&redis)).start();
    server.client().user("alice").await;
    for client in server.each() {
        wait_for_state(&client, "ready").await;
    }
    for (revoked, named) in [
        ("-evalsha", "counting attempts in keys authapi:{throttle}:*"),
        ("resetkeys", "counting attempts in keys authapi:{throttle}:*"),
        ("-publish", "authapi:invalidations"),
        ("resetchannels", "authapi:invalidations"),
    ] {
        assert_eq!(
            redis.execute(&format!("ACL SETUSER authapi {revoked}")),
            "+OK\r\n"
        );
        for client in server.each() {
            wait_for_state(&client, "degraded").await;
            client.session("alice").await;
        }
        check_logged(
            &server,
            "redis is unavailable",
            &[named, "its user lacks a right"],
        );
        create_user(&redis);
        for client in server.each() {
            wait_for_state(&client, "ready").await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_right_is_logged_at_the_start() {
    let redis = Redis::start_own();
    let url = create_user(&redis);
    assert_eq!(redis.execute("ACL SETUSER authapi -set"), "+OK\r\n");
    let server = with_redis(&url).start();
    check_logged(
        &server,
        "Redis is connected but does not execute what this service needs",
        &["counting attempts", "'set'", "its user lacks a right"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cause_of_a_failed_connection_is_logged_with_the_remedy() {
    let redis = Redis::start_own();
    let wrong_password = redis.url().replace("://", "://authapi:hunter2@");
    create_user(&redis);
    let tls = redis.url().replace("redis:", "rediss:");
    for (url, remedy, is_refusal) in [
        (wrong_password, "correct the user or the password", true),
        (format!("{}/99", redis.url()), "correct the database number", true),
        (tls, "its URL says rediss", false),
    ] {
        let server = with_redis(&url).start();
        check_logged(&server, "cannot connect to Redis; retrying", &[remedy]);
        for client in server.each() {
            wait_for_state(&client, "degraded").await;
        }
        if is_refusal {
            check_logged(&server, "the subscription to the bus failed", &[remedy]);
            check_logged(&server, "redis is unavailable", &[remedy]);
        }
        assert!(!server.log().lines().concat().contains("hunter2"));
    }
}
