//! Device tokens and known networks: which logins attempts of others can delay.

use crate::app::{Answer, NEW_PASSWORD, PASSWORD, Pair, Request, TestApp, counting_app};
use actix_web::http::Method;
use chrono::TimeDelta;
use serde_json::json;

const COOKIE: &str = "__Secure-authapi-device";
/// The address of a device that is not at home.
const ELSEWHERE: [u8; 4] = [203, 0, 113, 9];

/// Returns a login of `login` from `address`.
fn logging_in<'a>(app: &'a TestApp, address: [u8; 4], login: &str, password: &str) -> Request<'a> {
    let request = app.request_from(address, Method::POST, "/login");
    request.json(&json!({"login": login, "password": password}))
}

/// Guesses at `login` from many networks until the account has no attempt left for unknown places.
async fn exhaust(app: &TestApp, login: &str) {
    for network in 0..=10 {
        let guess = logging_in(app, [198, 18, network, 1], login, "a wrong password")
            .send()
            .await;
        if guess.status == 429 {
            assert_eq!(guess.body["budget"], "account");
            return;
        }
        assert_eq!(guess.code(), "invalid_credentials");
    }
    panic!("the account has attempts left");
}

/// Logs in at home, and returns the device token.
async fn device_of(app: &TestApp, login: &str) -> String {
    let home = app
        .post("/login")
        .json(&json!({"login": login, "password": PASSWORD}));
    let answer = home.send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let token = answer.header("device-token").to_owned();
    assert!(!token.is_empty());
    token
}

async fn with_token(app: &TestApp, login: &str, token: &str) -> Answer {
    let request = logging_in(app, ELSEWHERE, login, PASSWORD);
    request.header("Device-Token", token).send().await
}

async fn status_with(app: &TestApp, login: &str, token: &str) -> u16 {
    with_token(app, login, token).await.status
}

#[actix_web::test]
async fn the_owner_logs_in_at_home_and_on_a_known_device_while_others_guess() {
    let app = counting_app();
    app.user("alice").await;
    let token = device_of(&app, "alice").await;
    exhaust(&app, "alice").await;

    let unknown = logging_in(&app, ELSEWHERE, "alice", PASSWORD).send().await;
    assert_eq!(unknown.status, 429);
    assert_eq!(status_with(&app, "alice", &token).await, 200);
    let home = app
        .post("/login")
        .json(&json!({"login": "alice", "password": PASSWORD}));
    assert_eq!(home.send().await.status, 200);
}

#[actix_web::test]
async fn a_token_of_another_account_and_anything_else_is_ignored() {
    let app = counting_app();
    app.user("alice").await;
    app.user("bobby").await;
    let of_bobby = device_of(&app, "bobby").await;
    let token = device_of(&app, "alice").await;
    let mut forged = token.clone();
    forged.replace_range(40..41, if &token[40..41] == "A" { "B" } else { "A" });
    for ignored in [&of_bobby, &forged, "", "x", &"A".repeat(66), &"A".repeat(5000)] {
        assert_eq!(status_with(&app, "bobby", ignored).await, 200, "{ignored}");
    }

    let app = counting_app();
    app.user("alice").await;
    exhaust(&app, "alice").await;
    for ignored in [&of_bobby, &forged, "", "x", &"A".repeat(66), &"A".repeat(5000)] {
        assert_eq!(status_with(&app, "alice", ignored).await, 429, "{ignored}");
    }
}

#[actix_web::test]
async fn a_stolen_token_buys_the_attempts_of_one_budget() {
    let app = counting_app();
    app.user("alice").await;
    let stolen = device_of(&app, "alice").await;
    let mut statuses = Vec::new();
    for _ in 0..11 {
        let guess = logging_in(&app, ELSEWHERE, "alice", "a wrong password");
        statuses.push(guess.header("Device-Token", &stolen).send().await.status);
    }
    assert_eq!(statuses, [vec![401; 10], vec![429]].concat());
    let other_place = logging_in(&app, ELSEWHERE, "alice", PASSWORD).send().await;
    assert_eq!(other_place.status, 200);
}

#[actix_web::test]
async fn each_login_returns_another_token_and_the_device_stays_known() {
    let app = counting_app();
    app.user("alice").await;
    let first = device_of(&app, "alice").await;
    let second = with_token(&app, "alice", &first)
        .await
        .header("device-token")
        .to_owned();
    assert_ne!(first, second);
    exhaust(&app, "alice").await;
    for token in [first, second] {
        assert_eq!(status_with(&app, "alice", &token).await, 200);
    }
}

/// Ends the session of `token` in one way, and returns the status of a login from the device that
/// attempts of others delay.
async fn status_after(end: &str) -> u16 {
    let app = counting_app();
    app.user("alice").await;
    let answer = logging_in(&app, ELSEWHERE, "alice", PASSWORD).send().await;
    let (token, pair) = (answer.header("device-token").to_owned(), answer.pair());
    match end {
        "logout" => assert_eq!(log_out(&app, &pair, "/logout").await, 204),
        "logout everywhere" => assert_eq!(log_out(&app, &pair, "/logout?everywhere=true").await, 204),
        "end of the session" => {
            let other = app.log_in("alice").await;
            let sessions = app.get("/me/sessions").bearer(&pair.access).send().await;
            let sessions = sessions.body["sessions"].as_array().cloned().expect("a list");
            let own = sessions.iter().find(|session| session["current"] == true);
            let id = own.and_then(|session| session["id"].as_str()).expect("a session");
            let path = format!("/me/sessions/{id}");
            assert_eq!(app.delete(&path).bearer(&other.access).send().await.status, 204);
        }
        "reuse" => {
            for expected in [200, 200, 401] {
                app.clock.advance(TimeDelta::minutes(1));
                let refreshed = app.post("/refresh").bearer(&pair.refresh).send().await;
                if refreshed.status != expected {
                    assert_eq!(refreshed.code(), "refresh_token_reused");
                    break;
                }
            }
        }
        _ => panic!("unknown end {end}"),
    }
    exhaust(&app, "alice").await;
    status_with(&app, "alice", &token).await
}

async fn log_out(app: &TestApp, pair: &Pair, path: &str) -> u16 {
    app.post(path).bearer(&pair.access).send().await.status
}

#[actix_web::test]
async fn a_device_stays_known_after_a_logout_and_not_after_its_session_was_taken_away() {
    for (end, expected) in [
        ("logout", 200),
        ("logout everywhere", 429),
        ("end of the session", 429),
        ("reuse", 429),
    ] {
        assert_eq!(status_after(end).await, expected, "{end}");
    }
}

#[actix_web::test]
async fn the_token_is_a_cookie_for_clients_that_ask_for_one() {
    let app = counting_app();
    app.user("alice").await;
    let body = json!({"login": "alice", "password": PASSWORD});
    let answer = app.post("/login?device_cookie=true").json(&body).send().await;
    assert_eq!(answer.status, 200);
    assert!(!answer.headers.contains_key("device-token"));
    let cookie = answer.header("set-cookie").to_owned();
    let (pair, attributes) = cookie.split_once("; ").expect("the cookie has attributes");
    for attribute in [
        "HttpOnly",
        "Secure",
        "SameSite=Strict",
        "Path=/login",
        "Max-Age=10368000",
    ] {
        assert!(attributes.split("; ").any(|it| it == attribute), "{cookie}");
    }
    assert!(pair.starts_with(&format!("{COOKIE}=")), "{cookie}");

    exhaust(&app, "alice").await;
    for (sent, expected) in [("__Secure-authapi-device=x", 429), ("other=x", 429), (pair, 200)] {
        let request = logging_in(&app, ELSEWHERE, "alice", PASSWORD).header("Cookie", sent);
        assert_eq!(request.send().await.status, expected, "{sent}");
    }
}

/// A sibling domain can add a cookie. The choice of one of two would be the sibling's, so the login
/// is one from an unknown device.
#[actix_web::test]
async fn a_repeated_device_cookie_is_ignored() {
    let app = counting_app();
    app.user("alice").await;
    let token = device_of(&app, "alice").await;
    exhaust(&app, "alice").await;
    let own = format!("{COOKIE}={token}");
    for second in [
        own.as_str(),
        &format!("{COOKIE}=x"),
        &format!("{COOKIE}="),
        COOKIE,
    ] {
        for (one, other) in [(own.as_str(), second), (second, own.as_str())] {
            for lines in [
                vec![format!("{one}; {other}")],
                vec![one.to_owned(), other.to_owned()],
            ] {
                let request = logging_in(&app, ELSEWHERE, "alice", PASSWORD);
                let request = lines
                    .iter()
                    .fold(request, |request, line| request.header("Cookie", line));
                assert_eq!(request.send().await.status, 429, "{lines:?}");
            }
        }
    }
    let both = format!("{own}; {own}");
    let by_header = logging_in(&app, ELSEWHERE, "alice", PASSWORD)
        .header("Cookie", &both)
        .header("Device-Token", &token);
    assert_eq!(by_header.send().await.status, 200, "the header is not ambiguous");
    // From another network, since the login has made the first one known.
    let alone = logging_in(&app, [203, 0, 114, 9], "alice", PASSWORD).header("Cookie", &own);
    assert_eq!(alone.send().await.status, 200);
}

#[actix_web::test]
async fn a_password_change_forgets_all_devices_and_returns_a_token_of_the_new_session() {
    let app = counting_app();
    app.user("alice").await;
    let answer = logging_in(&app, ELSEWHERE, "alice", PASSWORD).send().await;
    let before = answer.header("device-token").to_owned();
    let change = app
        .request_from(ELSEWHERE, Method::PUT, "/me/password")
        .bearer(&answer.pair().access)
        .json(&json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}));
    let changed = change.send().await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let after = changed.header("device-token").to_owned();
    exhaust(&app, "alice").await;
    for (token, expected) in [(before, 429), (after, 200)] {
        let request = logging_in(&app, [203, 0, 114, 9], "alice", NEW_PASSWORD);
        let status = request.header("Device-Token", &token).send().await.status;
        assert_eq!(status, expected);
    }
}
