//! Refusals by cause (tokens, methods, paths and bodies), and refusals that do not reveal their
//! cause.

use crate::{
    client::PASSWORD,
    server::{Place, Server},
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

/// Reached only when a test fails.
const TIMEOUT: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn unknown_wrong_and_disabled_logins_get_identical_responses() {
    let server = Server::start();
    let client = server.client();
    client.user("alice").await;
    client.user("mallory").await;
    server
        .place()
        .command_succeeds(&["users", "disable", "--login", "mallory"], "");
    let mut answers = Vec::new();
    for (login, password) in [
        ("alice", "not the password"),
        ("unknown", PASSWORD),
        ("mallory", PASSWORD),
        ("not a login", PASSWORD),
        ("", ""),
    ] {
        let call = client
            .logging_in(login, password)
            .header("X-Request-Id", b"one-id");
        let mut answer = call.send().await;
        assert_eq!(
            (answer.status, answer.code()),
            (401, "invalid_credentials"),
            "{login}"
        );
        answer.headers.remove("date");
        answers.push((answer.headers, answer.raw));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_token_is_rejected_with_its_cause() {
    let server = Server::start();
    let client = server.client();
    let pair = client.user("alice").await;
    let other = client.session("alice").await;
    let (head, _) = pair.access.rsplit_once('.').expect("the token has a signature");
    let (_, signature) = other.access.rsplit_once('.').expect("the token has a signature");
    let forged = format!("{head}.{signature}");
    let unsigned = format!("{head}.");
    for (token, code) in [
        (forged.as_str(), "token_invalid"),
        ("nonsense", "token_malformed"),
        ("a.b.c", "token_malformed"),
        (&pair.refresh, "token_malformed"),
    ] {
        let me = client.me(token).await;
        assert_eq!((me.status, me.code()), (401, code), "{token}");
        assert_eq!(me.header("www-authenticate"), r#"Bearer error="invalid_token""#);
    }
    assert_eq!(client.me(&unsigned).await.status, 401);
    let tokenless = client.get("/me").send().await;
    assert_eq!((tokenless.status, tokenless.code()), (401, "token_missing"));
    assert_eq!(tokenless.header("www-authenticate"), "Bearer");
    let in_the_url = client
        .get(&format!("/me?access_token={}", pair.access))
        .send()
        .await;
    let answered = (in_the_url.status, &in_the_url.body["errors"][0]["field"]);
    assert_eq!(answered, (422, &json!("access_token")));

    for token in ["nonsense", &pair.access, &pair.refresh.replace('A', "B")] {
        if *token != pair.refresh {
            assert_eq!(
                client.refresh(token).await.code(),
                "refresh_token_invalid",
                "{token}"
            );
        }
    }
    assert_eq!(client.post("/refresh").send().await.code(), "token_missing");
    let twice = client.post("/refresh").bearer(&pair.refresh);
    let twice = twice.json(&json!({"refresh_token": pair.refresh})).send().await;
    assert_eq!((twice.status, twice.code()), (400, "malformed_request"));
    let in_the_body = client
        .post("/refresh")
        .json(&json!({"refresh_token": pair.refresh}));
    assert_eq!(in_the_body.send().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn other_methods_are_refused_with_the_allowed_methods() {
    let server = Server::start();
    let client = server.client();
    for (path, allowed) in [
        ("/register", "POST"),
        ("/login", "POST"),
        ("/logout", "POST"),
        ("/refresh", "POST"),
        ("/roles/update", "PUT"),
        ("/me", "GET, HEAD, DELETE"),
        ("/me/export", "GET, HEAD"),
        ("/me/password", "PUT"),
        ("/me/sessions", "GET, HEAD"),
        ("/me/sessions/0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d", "DELETE"),
        ("/users", "GET, HEAD"),
        (
            "/users/0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d",
            "GET, HEAD, PATCH, DELETE",
        ),
        ("/users/0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d/roles", "PUT"),
        ("/users/0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d/password", "PUT"),
        (
            "/users/0190d6b8-7c5e-7c3a-8f6e-3d2b1a0f9e8d/sessions",
            "GET, HEAD, DELETE",
        ),
        ("/roles", "GET, HEAD"),
        ("/roles/reader", "GET, HEAD, PUT, DELETE"),
        ("/audit", "GET, HEAD"),
        ("/audit/checkpoint", "GET, HEAD"),
        ("/audit/public-key", "GET, HEAD"),
        ("/.well-known/oauth-authorization-server", "GET, HEAD"),
        ("/health/live", "GET, HEAD"),
        ("/health/ready", "GET, HEAD"),
        ("/.well-known/jwks.json", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ] {
        for method in [
            "GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW",
        ] {
            if allowed.contains(method) {
                continue;
            }
            let method = Method::from_bytes(method.as_bytes()).expect("the method is valid");
            let answer = client.call(method, path).send().await;
            assert_eq!((answer.status, answer.header("allow")), (405, allowed), "{path}");
            assert_eq!(answer.code(), "method_not_allowed");
        }
    }
    for path in [
        "/nothing",
        "/me/",
        "/user",
        "/docs/nothing",
        "/%2e%2e/etc",
        "/%00",
    ] {
        let answer = client.get(path).send().await;
        assert_eq!((answer.status, answer.code()), (404, "not_found"), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_query_parameter_is_named_and_nothing_is_changed() {
    let server = Place::new().with_admin("root").start();
    let client = server.client();
    let root = client.session("root").await.access;
    let alice = client.user("alice").await;
    let me = client.me(&alice.access).await;
    let user = format!("/users/{}", me.body["id"].as_str().expect("an id"));
    for (method, path, parameter) in [
        (Method::DELETE, user.as_str(), "dry_run"),
        (Method::DELETE, &format!("{user}/sessions"), "dry_run"),
        (Method::POST, "/logout", "everywere"),
        (Method::POST, "/refresh", "login"),
        (Method::GET, "/users", "filter"),
        (Method::GET, "/health/live", "verbose"),
        (Method::GET, "/.well-known/jwks.json", "kid"),
    ] {
        let call = client.call(method, &format!("{path}?{parameter}=true"));
        let answer = call.bearer(&root).send().await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, &error["field"], &error["code"]),
            (422, &json!(parameter), &json!("unknown_field")),
            "{path}"
        );
    }
    assert_eq!(client.me_code(&alice.access).await, "accepted");
    let found = client
        .get("/users?q=alice&role=&status=")
        .bearer(&root)
        .send()
        .await;
    assert_eq!(found.body["users"].as_array().map(Vec::len), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_are_refused_by_cause() {
    let server = Server::start();
    let client = server.client();
    let alice = client.user("alice").await.access;
    let good = json!({"login": "bob", "password": PASSWORD}).to_string();
    let padded = |length: usize| format!("{good}{}", " ".repeat(length - good.len()));
    let json_type = "application/json";
    for (method, path) in [
        (Method::POST, "/register"),
        (Method::POST, "/login"),
        (Method::PUT, "/roles/update"),
        (Method::PUT, "/me/password"),
        (Method::POST, "/refresh"),
    ] {
        for (content_type, body, status, code) in [
            (json_type, "{oops".to_owned(), 400, "malformed_request"),
            (json_type, "\u{0}".to_owned(), 400, "malformed_request"),
            (json_type, r#"{"x", null}"#.to_owned(), 400, "malformed_request"),
            (json_type, padded(16 * 1024 + 1), 413, "payload_too_large"),
            (json_type, padded(1_000_000), 413, "payload_too_large"),
            ("text/plain", good.clone(), 415, "unsupported_media_type"),
            (
                "application/json; charset=utf-16",
                good.clone(),
                415,
                "unsupported_media_type",
            ),
            (json_type, "[]".to_owned(), 422, "validation_failed"),
            (
                json_type,
                r#"{"surprise":1}"#.to_owned(),
                422,
                "validation_failed",
            ),
        ] {
            let mut call = client.call(method.clone(), path);
            if path != "/refresh" {
                call = call.bearer(&alice);
            }
            let call = call.header("Content-Type", content_type.as_bytes()).body(body);
            let answer = call.send().await;
            assert_eq!(
                (answer.status, answer.code()),
                (status, code),
                "{path}: {content_type}"
            );
        }
    }
    let exact = client
        .post("/register")
        .header("Content-Type", json_type.as_bytes());
    assert_eq!(exact.body(padded(16 * 1024)).send().await.status, 201);
    let both = client
        .post("/register")
        .json(&json!({"login": "x", "password": "short"}));
    let both = both.send().await;
    let codes: Vec<&Value> = both.body["errors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| &error["code"])
        .collect();
    assert_eq!(codes, ["too_short", "too_short"]);
    let query = client
        .post("/logout?everywhere=perhaps")
        .bearer(&alice)
        .send()
        .await;
    assert_eq!((query.status, query.code()), (422, "validation_failed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn weak_passwords_get_identical_responses_for_taken_and_free_logins() {
    let server = Server::start();
    let client = server.client();
    client.user("alice").await;
    let mut answers = Vec::new();
    for login in ["alice", "unknown"] {
        let body = json!({"login": login, "password": "qwertyuiop"});
        let call = client.post("/register").json(&body);
        let mut answer = call.header("X-Request-Id", b"one-id").send().await;
        assert_eq!(answer.status, 422, "{login}: {}", answer.body);
        answer.headers.remove("date");
        answers.push((answer.headers, answer.raw));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    let taken = client.register("alice").await;
    assert_eq!((taken.status, taken.code()), (409, "login_taken"));

    let arguments = ["audit", "list", "--json", "--action", "registration_refused"];
    let printed = server.place().command_succeeds(&arguments, "");
    let causes: Vec<Value> = printed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("every line is JSON"))
        .map(|event| event["details"]["cause"].clone())
        .collect();
    assert_eq!(causes, ["login_taken", "weak_password", "weak_password"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_403_is_logged_with_the_user_and_both_request_ids() {
    let server = Server::start();
    let client = server.client();
    let alice = client.user("alice").await;
    let id = client.me(&alice.access).await.body["id"].clone();
    let call = client.get("/users").bearer(&alice.access);
    let refused = call.header("X-Request-Id", b"theirs").send().await;
    assert_eq!((refused.status, refused.header("x-request-id")), (403, "theirs"));
    let call = client.post("/logout").bearer(&alice.access);
    let ended = call.header("X-Request-Id", b"their-logout").send().await;
    assert_eq!(ended.status, 204);

    for (theirs, status) in [("theirs", 403), ("their-logout", 204)] {
        let line = |line: &str| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["client_request_id"] == theirs).then_some(line)
        };
        let line = server
            .log()
            .wait_for(TIMEOUT, line)
            .expect("the request is logged");
        assert_eq!((&line["status"], &line["user"]), (&json!(status), &id));
        assert_ne!(line["request_id"], theirs);
        if status == 204 {
            let arguments = ["audit", "list", "--json", "--action", "session_ended"];
            let printed = server.place().command_succeeds(&arguments, "");
            let event: Value = serde_json::from_str(printed.trim()).expect("there is one event");
            assert_eq!(event["request_id"], line["request_id"]);
            assert_eq!(event["client_request_id"], theirs);
        }
    }
}
