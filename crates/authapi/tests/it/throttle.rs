//! Attempts are counted per account and per client, on all replicas together, whatever the client
//! claims about itself.

use crate::{
    client::{Answer, Client, NEW_PASSWORD, PASSWORD},
    server::Place,
};

/// A place that allows three attempts per account and `client_burst` per client, and regains hardly
/// any during a test.
fn strict(client_burst: &str) -> Place {
    Place::new()
        .throttled()
        .with("THROTTLE__ACCOUNT_BURST", "3")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1")
        .with("THROTTLE__CLIENT_BURST", client_burst)
        .with("THROTTLE__CLIENT_PER_MINUTE", "1")
}

fn check_refused(answer: &Answer, at_most: u64) {
    assert_eq!(
        (answer.status, answer.code()),
        (429, "too_many_attempts"),
        "{}",
        answer.body
    );
    let seconds: u64 = answer
        .header("retry-after")
        .parse()
        .expect("the header contains seconds");
    assert!((1..=at_most).contains(&seconds), "{seconds}");
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"attempts\";r=0;t={seconds}")
    );
}

async fn guess(client: &Client, login: &str) -> Answer {
    client.logging_in(login, "not the password").send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_over_its_limit_rejects_the_right_password_too() {
    let server = strict("100").start();
    let client = server.client();
    for login in ["alice", "bob"] {
        assert_eq!(client.register(login).await.status, 201);
    }
    let pair = client.session("alice").await;
    for _ in 0..2 {
        assert_eq!(guess(&client, "ALICE").await.code(), "invalid_credentials");
    }
    for spelling in ["alice", "Ａlice"] {
        check_refused(&client.logging_in(spelling, PASSWORD).send().await, 3600);
    }
    let change = client
        .changing_password(&pair.access, PASSWORD, NEW_PASSWORD)
        .send()
        .await;
    check_refused(&change, 3600);

    assert_eq!(
        client.me_code(&pair.access).await,
        "accepted",
        "existing sessions stay valid"
    );
    assert_eq!(client.refresh_code(&pair.refresh).await, "accepted");
    client.session("bob").await;
    for attempt in 0..4 {
        let unknown = guess(&client, "unknown").await;
        assert_eq!(
            unknown.status,
            if attempt < 3 { 401 } else { 429 },
            "unknown logins are limited like existing ones"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_its_limit_is_refused_even_with_forged_headers() {
    let server = strict("3").start();
    let client = server.client();
    assert_eq!(client.register("alice").await.status, 201);
    assert_eq!(guess(&client, "unknown").await.status, 401);
    assert_eq!(guess(&client, "nothing").await.status, 401);
    check_refused(&client.logging_in("alice", PASSWORD).send().await, 60);
    check_refused(&client.register("bob").await, 60);
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"] {
        let call = client.logging_in("alice", PASSWORD);
        let value = if header == "Forwarded" {
            "for=198.51.100.1"
        } else {
            "198.51.100.1"
        };
        check_refused(&call.header(header, value.as_bytes()).send().await, 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_a_budget() {
    let server = strict("2").with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8").start();
    let client = server.client();
    let mut count = 0;
    let mut attempt = async |forwarded: &str| {
        count += 1;
        let call = client.logging_in(&format!("unknown-{count}"), PASSWORD);
        call.header("X-Forwarded-For", forwarded.as_bytes())
            .send()
            .await
            .status
    };
    for (forwarded, statuses) in [
        ("198.51.100.1", [401, 401, 429]),
        ("198.51.100.2", [401, 401, 429]),
        // The entries of the client precede those of the proxy.
        ("203.0.113.9, 198.51.100.2", [429, 429, 429]),
        ("203.0.113.9, 198.51.100.3, 127.0.0.2", [401, 401, 429]),
        // Addresses of one network.
        ("2001:db8::1", [401, 401, 429]),
        ("2001:db8::ffff:1", [429, 429, 429]),
        ("2001:db8:0:1::1", [401, 401, 429]),
    ] {
        for status in statuses {
            assert_eq!(attempt(forwarded).await, status, "{forwarded}");
        }
    }
}
