//! Attempts are counted against the budgets of their place, on all replicas together, whatever the
//! client claims about itself.

use crate::{
    client::{Answer, Client, NEW_PASSWORD, PASSWORD},
    server::Place,
};

/// The network of a client, which a trusted proxy forwards.
const HOME: &str = "198.51.100.1";

/// A place that allows three attempts per account and session, and `client_burst` per client, and
/// regains hardly any during a test.
fn strict(client_burst: &str) -> Place {
    Place::new()
        .throttled()
        .with("THROTTLE__ACCOUNT_BURST", "3")
        .with("THROTTLE__ACCOUNT_PER_HOUR", "1")
        .with("THROTTLE__SESSION_BURST", "3")
        .with("THROTTLE__SESSION_PER_HOUR", "1")
        .with("THROTTLE__CLIENT_BURST", client_burst)
        .with("THROTTLE__CLIENT_PER_MINUTE", "1")
}

/// A place behind a proxy, so that the tests choose the addresses of clients.
fn behind_a_proxy(client_burst: &str) -> Place {
    strict(client_burst).with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
}

fn check_refused(answer: &Answer, budget: &str, at_most: u64) {
    assert_eq!(
        (answer.status, answer.code()),
        (429, "too_many_attempts"),
        "{}",
        answer.body
    );
    assert_eq!(answer.body["budget"], budget);
    let seconds: u64 = answer
        .header("retry-after")
        .parse()
        .expect("the header contains seconds");
    assert!((1..=at_most).contains(&seconds), "{seconds}");
    assert_eq!(
        answer.header("ratelimit"),
        format!("\"{budget}\";r=0;t={seconds}")
    );
}

async fn log_in_from(client: &Client, address: &str, login: &str, password: &str) -> Answer {
    let call = client.logging_in(login, password);
    call.header("X-Forwarded-For", address.as_bytes()).send().await
}

async fn guess(client: &Client, login: &str) -> Answer {
    client.logging_in(login, "not the password").send().await
}

#[tokio::test(flavor = "multi_thread")]
async fn guesses_from_other_networks_do_not_keep_an_owner_out() {
    let server = behind_a_proxy("100").start();
    let client = server.client();
    for login in ["alice", "bob"] {
        assert_eq!(client.register(login).await.status, 201);
    }
    // This makes the network known, and takes one of three attempts from unknown places.
    assert_eq!(log_in_from(&client, HOME, "alice", PASSWORD).await.status, 200);
    for (address, spelling) in [("203.0.113.1", "ALICE"), ("203.0.114.1", "Ａlice")] {
        let wrong = log_in_from(&client, address, spelling, "not the password").await;
        assert_eq!(wrong.code(), "invalid_credentials");
    }
    for _ in 0..5 {
        let refused = log_in_from(&client, "203.0.115.1", "alice", PASSWORD).await;
        check_refused(&refused, "account", 3600);
    }
    // The next network waits for the turn after that.
    let refused = log_in_from(&client, "203.0.116.1", "alice", PASSWORD).await;
    check_refused(&refused, "account", 7200);
    // Any address of the known network, until the budget of that place is used up.
    for host in 1..=3 {
        let home = log_in_from(&client, &format!("198.51.100.{host}"), "alice", PASSWORD).await;
        assert_eq!(home.status, 200, "{}", home.body);
    }
    let refused = log_in_from(&client, HOME, "alice", PASSWORD).await;
    check_refused(&refused, "account", 3600);
    assert_eq!(log_in_from(&client, HOME, "bob", PASSWORD).await.status, 200);
    for attempt in 0..4 {
        let address = format!("192.0.{attempt}.1");
        let unknown = log_in_from(&client, &address, "unknown", PASSWORD).await;
        let expected = if attempt < 3 { 401 } else { 429 };
        assert_eq!(
            unknown.status, expected,
            "unknown logins are limited like existing ones"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_confirmed_against_the_budget_of_the_session_only() {
    let server = strict("100").start();
    let client = server.client();
    let pair = client.user("alice").await;
    for _ in 0..3 {
        assert_eq!(client.session("alice").await.access.split('.').count(), 3);
    }
    check_refused(
        &client.logging_in("alice", PASSWORD).send().await,
        "account",
        3600,
    );
    let change = async |current| {
        let change = client.changing_password(&pair.access, current, NEW_PASSWORD);
        change.send().await
    };
    for _ in 0..3 {
        assert_eq!(change("not the password").await.code(), "invalid_credentials");
    }
    check_refused(&change(PASSWORD).await, "session", 3600);
    assert_eq!(
        client.me_code(&pair.access).await,
        "accepted",
        "existing sessions stay valid"
    );
    assert_eq!(client.refresh_code(&pair.refresh).await, "accepted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_over_its_limit_is_refused_even_with_forged_headers() {
    let server = strict("3").start();
    let client = server.client();
    assert_eq!(client.register("alice").await.status, 201);
    assert_eq!(guess(&client, "unknown").await.status, 401);
    assert_eq!(guess(&client, "nothing").await.status, 401);
    check_refused(&client.logging_in("alice", PASSWORD).send().await, "network", 60);
    check_refused(&client.register("bob").await, "network", 60);
    for header in ["X-Forwarded-For", "Forwarded", "X-Real-IP", "CF-Connecting-IP"] {
        let call = client.logging_in("alice", PASSWORD);
        let value = if header == "Forwarded" {
            "for=198.51.100.1"
        } else {
            "198.51.100.1"
        };
        check_refused(&call.header(header, value.as_bytes()).send().await, "network", 60);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_trusted_proxy_each_client_has_a_budget() {
    let server = behind_a_proxy("2").start();
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
