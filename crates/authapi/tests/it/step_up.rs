//! Step-up authentication (RFC 9470). Tests do not wait until a check of the password is too old:
//! `api-http` tests that with a fake clock, and the authorisation table with tokens that carry no
//! check.

use crate::{
    client::{Answer, Client, PASSWORD, part_of},
    server::Place,
};
use serde_json::{Value, json};

async fn reauthenticate(client: &Client, access: &str, password: &str) -> Answer {
    let call = client.post("/me/reauthenticate").bearer(access);
    call.json(&json!({"password": password})).send().await
}

fn time(token: &str, claim: &str) -> i64 {
    let claims = part_of(token, 1);
    claims[claim].as_i64().expect("the claim is in seconds")
}

fn access_token(answer: &Answer) -> String {
    let token = answer.body["access_token"].as_str();
    token.expect("the answer contains a token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_keeps_the_time_of_the_check_and_reauthentication_advances_it() {
    let server = Place::new().start();
    let client = server.client();
    let alice = client.user("alice").await;
    let login = time(&alice.access, "auth_time");
    assert_eq!(login, time(&alice.access, "iat"));

    // Refreshes until the clock shows another second.
    let mut pair = alice;
    while time(&pair.access, "iat") == login {
        pair = client.refresh(&pair.refresh).await.pair();
        assert_eq!(time(&pair.access, "auth_time"), login);
    }

    let checked = reauthenticate(&client, &pair.access, PASSWORD).await;
    assert_eq!(checked.status, 200, "{}", checked.body);
    let access = access_token(&checked);
    let check = time(&access, "auth_time");
    assert!(check > login);
    assert_eq!(check, time(&access, "iat"));
    assert_eq!(part_of(&access, 1)["sid"], part_of(&pair.access, 1)["sid"]);
    assert_eq!(client.me_code(&access).await, "accepted");
    assert_eq!(client.me_code(&pair.access).await, "accepted");

    // The refresh token of before is the current one.
    let refreshed = client.refresh(&pair.refresh).await.pair();
    assert_eq!(time(&refreshed.access, "auth_time"), check);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_refused_and_both_outcomes_are_in_the_audit_log() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await;
    let wrong = reauthenticate(&client, &root.access, "guessed").await;
    assert_eq!((wrong.status, wrong.code()), (401, "invalid_credentials"));
    let right = reauthenticate(&client, &root.access, PASSWORD).await;
    assert_eq!(right.keys(), ["access_token", "expires_in", "token_type"]);

    let log = client.get("/audit?limit=2").bearer(&root.access).send().await;
    let events = log.body["events"].as_array().cloned().unwrap_or_default();
    let seen: Vec<(&Value, &Value)> = events
        .iter()
        .map(|event| (&event["action"], &event["session"]))
        .collect();
    let session = &part_of(&root.access, 1)["sid"];
    assert_eq!(
        seen,
        [
            (&json!("reauthenticated"), session),
            (&json!("reauthentication_failed"), session)
        ],
        "{}",
        log.body
    );
}
