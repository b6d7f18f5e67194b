//! Refresh tokens that are presented again within the grace window, from elsewhere.

use crate::{
    client::{Answer, Client},
    server::{Place, Server},
};
use serde_json::Value;

const OWNER: (&str, &str) = ("192.0.2.7", "app/1");

/// A service behind a trusted proxy, which the tests play. Its grace window outlasts the retries of
/// a busy machine.
fn behind_a_proxy() -> Server {
    Place::new()
        .with("SERVER__TRUSTED_PROXIES", "127.0.0.0/8")
        .with("TOKENS__REFRESH_GRACE", "1m")
        .start()
}

async fn refresh(client: &Client, token: &str, (address, user_agent): (&str, &str)) -> Answer {
    let call = client.post("/refresh").bearer(token);
    let call = call.header("X-Forwarded-For", address.as_bytes());
    call.header("User-Agent", user_agent.as_bytes()).send().await
}

fn events(server: &Server, action: &str) -> Vec<Value> {
    let arguments = ["audit", "list", "--json", "--action", action];
    let printed = server.place().command_succeeds(&arguments, "");
    let lines = printed.lines().map(serde_json::from_str);
    lines.collect::<Result<_, _>>().expect("every line is JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thief_within_the_grace_window_ends_the_session() {
    let server = behind_a_proxy();
    let client = server.client();
    let first = client.user("alice").await;
    let second = refresh(&client, &first.refresh, OWNER).await.pair();

    let thief = refresh(&client, &first.refresh, ("198.51.100.7", "thief")).await;

    assert_eq!((thief.status, thief.code()), (401, "refresh_token_reused"));
    let owner = refresh(&client, &second.refresh, OWNER).await;
    assert_eq!(owner.code(), "session_revoked");
    let reused = events(&server, "refresh_token_reused");
    assert_eq!(reused.len(), 1, "{reused:#?}");
    assert_eq!(reused[0]["address"], "198.51.100.7");
    assert_eq!(reused[0]["user_agent"], "thief");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_changes_its_network_or_its_user_agent_keeps_the_session() {
    let server = behind_a_proxy();
    let client = server.client();
    let first = client.user("alice").await;
    let second = refresh(&client, &first.refresh, OWNER).await.pair();
    for origin in [OWNER, ("2001:db8::7", "app/1"), ("192.0.2.9", "app/2")] {
        let again = refresh(&client, &first.refresh, origin).await;
        assert_eq!(again.status, 200, "{}", again.body);
        assert_eq!(again.pair().refresh, second.refresh);
    }
    assert_eq!(client.refresh_code(&second.refresh).await, "accepted");
    assert_eq!(events(&server, "refresh_token_replayed").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_of_refreshes_with_one_token_gets_one_successor_and_one_event() {
    let server = behind_a_proxy();
    let client = server.client();
    let first = client.user("alice").await;
    let calls = (0..50).map(|_| {
        let (client, token) = (client.clone(), first.refresh.clone());
        tokio::spawn(async move { refresh(&client, &token, OWNER).await })
    });
    let calls: Vec<_> = calls.collect();
    let mut successors = Vec::new();
    for call in calls {
        let answer = call.await.expect("the call ends");
        assert_eq!(answer.status, 200, "{}", answer.body);
        successors.push(answer.pair().refresh);
    }
    successors.dedup();
    assert_eq!(successors.len(), 1);
    assert_eq!(client.refresh_code(&successors[0]).await, "accepted");
    assert_eq!(events(&server, "refresh_token_replayed").len(), 1);
}
