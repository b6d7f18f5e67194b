//! The refresh token as a cookie: what sets it, which requests it authenticates, what clears it.

use crate::{
    app::{Answer, NEW_PASSWORD, PASSWORD, Pair, Request, TestApp, app, counting_app, without_docs},
    authorisation::rows,
    cors::{PAGE, with_page},
};
use actix_web::http::Method;
use api_http::CookiePathPrefix;
use chrono::TimeDelta;
use serde_json::json;

const COOKIE: &str = "__Secure-authapi-refresh";
/// The service's own origin.
const OWN: &str = "https://auth.example";

/// The lines of `Set-Cookie` in a response, in the order of their paths.
fn set_cookies(answer: &Answer) -> Vec<String> {
    let lines: Vec<_> = answer.headers.get_all("set-cookie").collect();
    assert!(lines.iter().all(|line| line.is_sensitive()), "{lines:?}");
    let lines = lines
        .into_iter()
        .map(|line| line.to_str().expect("text").to_owned());
    let mut lines: Vec<_> = lines.filter(|line| line.starts_with(COOKIE)).collect();
    lines.sort_by_key(|line| !line.contains("/logout"));
    lines
}

/// Returns the refresh token in the cookies of a response, after a check of their form.
fn token_in(answer: &Answer, prefix: &str) -> String {
    let lines = set_cookies(answer);
    let mut tokens = Vec::new();
    let max_age = format!("Max-Age={}", answer.body["refresh_expires_in"]);
    for (line, path) in lines.iter().zip(["/logout", "/refresh"]) {
        let (pair, attributes) = line.split_once("; ").expect("the cookie has attributes");
        let mut attributes: Vec<_> = attributes.split("; ").collect();
        attributes.sort_unstable();
        let path = format!("Path={prefix}{path}");
        let expected = ["HttpOnly", &max_age, &path, "SameSite=Strict", "Secure"];
        assert_eq!(attributes, expected, "{line}");
        let token = pair.strip_prefix(COOKIE).and_then(|rest| rest.strip_prefix('='));
        tokens.push(token.expect("the cookie has the name").to_owned());
    }
    let [one, other] = &tokens[..] else {
        panic!("{lines:?}");
    };
    assert_eq!(one, other);
    assert!(!one.is_empty());
    assert!(answer.body.get("refresh_token").is_none(), "{}", answer.body);
    assert!(!answer.header("cache-control").is_empty());
    one.clone()
}

fn check_cleared(answer: &Answer) {
    let lines = set_cookies(answer);
    assert_eq!(lines.len(), 2, "{lines:?}");
    for (line, path) in lines.iter().zip(["/logout", "/refresh"]) {
        let path = format!("Path={path}");
        assert!(line.starts_with(&format!("{COOKIE}=; ")), "{line}");
        for attribute in ["HttpOnly", "Max-Age=0", &path, "SameSite=Strict", "Secure"] {
            assert!(line.split("; ").any(|it| it == attribute), "{line}");
        }
    }
}

/// Registers alice, who logs in with a cookie.
async fn alice(app: &TestApp) -> Pair {
    app.user("alice").await;
    log_in(app).await
}

/// Logs alice in with a cookie.
async fn log_in(app: &TestApp) -> Pair {
    let login = app
        .post("/login?refresh_cookie=true")
        .json(&json!({"login": "alice", "password": PASSWORD}));
    let answer = login.send().await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    pair_in(&answer)
}

fn pair_in(answer: &Answer) -> Pair {
    Pair {
        access: answer.body["access_token"].as_str().expect("a token").to_owned(),
        refresh: token_in(answer, ""),
    }
}

/// A POST request of a page of the service, with a cookie.
fn posting<'a>(app: &'a TestApp, path: &str, token: &str) -> Request<'a> {
    app.post(path)
        .header("Origin", OWN)
        .header("Sec-Fetch-Site", "same-origin")
        .header("Cookie", &format!("theme=dark; {COOKIE}={token}"))
}

#[actix_web::test]
async fn every_response_with_a_pair_can_set_the_cookies() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    assert_eq!(app.refresh_code(&pair).await, "accepted");

    let other = app.log_in("alice").await;
    let refresh = app.post("/refresh?refresh_cookie=true");
    let refreshed = refresh.bearer(&other.refresh).send().await;
    assert_ne!(token_in(&refreshed, ""), other.refresh);

    let change = app
        .put("/me/password?refresh_cookie=true&device_cookie=true")
        .bearer(&other.access)
        .json(&json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}));
    let changed = pair_in(&change.send().await);
    assert_eq!(app.refresh_code(&changed).await, "accepted");
}

/// Each request that can set `cookie`, with its path.
fn asking<'a>(app: &'a TestApp, pair: &Pair, cookie: &str) -> Vec<(&'static str, Request<'a>)> {
    let login = json!({"login": "alice", "password": PASSWORD});
    let change = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let mut requests = vec![
        ("/login", app.post(&format!("/login?{cookie}=true")).json(&login)),
        (
            "/me/password",
            app.put(&format!("/me/password?{cookie}=true"))
                .bearer(&pair.access)
                .json(&change),
        ),
    ];
    if cookie == "refresh_cookie" {
        let refresh = app.post("/refresh?refresh_cookie=true");
        requests.push(("/refresh", refresh.bearer(&pair.refresh)));
    }
    requests
}

#[actix_web::test]
async fn a_page_that_may_not_use_cookies_gets_none_and_changes_nothing() {
    let app = with_page(counting_app());
    app.user("alice").await;
    let pair = app.log_in("alice").await;
    let sessions = async || {
        let list = app.get("/me/sessions").bearer(&pair.access).send().await;
        list.body
    };
    let before = sessions().await;
    for cookie in ["refresh_cookie", "device_cookie"] {
        for (origin, site) in [
            ("https://evil.example", Some("cross-site")),
            ("https://evil.example", None),
            ("https://b.auth.example", Some("same-site")),
            ("null", None),
            (PAGE, Some("cross-site")),
        ] {
            // More often than the budgets have attempts.
            for _ in 0..5 {
                for (path, request) in asking(&app, &pair, cookie) {
                    let mut request = request.header("Origin", origin);
                    if let Some(site) = site {
                        request = request.header("Sec-Fetch-Site", site);
                    }
                    let answer = request.send().await;
                    let found = (answer.status, answer.code());
                    let expected = (403, "cookie_origin_refused".to_owned());
                    assert_eq!(found, expected, "{path} {cookie} {origin} {site:?}");
                    assert!(!answer.headers.contains_key("set-cookie"), "{path}");
                }
            }
        }
    }
    assert_eq!(sessions().await, before);
    assert_eq!(app.refresh_code(&pair).await, "accepted");
    let plain = app
        .post("/login")
        .header("Origin", "https://evil.example")
        .json(&json!({"login": "alice", "password": PASSWORD}));
    assert_eq!(plain.send().await.status, 200, "no cookie was asked for");
}

/// Forms and `no-cors` requests of other sites need no preflight, but cannot send
/// `application/json`.
#[actix_web::test]
async fn a_form_of_another_site_cannot_log_its_visitor_in() {
    let app = with_page(counting_app());
    let mallory = app.user("mallory").await;
    let login = format!(r#"{{"login":"mallory","password":"{PASSWORD}"}}"#);
    // A form without encoding writes the name of a field, an equals sign and its value.
    let disguised = format!(r#"{{"login":"mallory","password":"{PASSWORD}","x":"="}}"#);
    let encoded = format!("login=mallory&password={}", PASSWORD.replace(' ', "+"));
    for (content_type, body) in [
        (Some("text/plain"), &login),
        (Some("text/plain"), &disguised),
        (Some("text/plain;charset=UTF-8"), &login),
        (Some("text/plain; application/json"), &login),
        (Some("application/x-www-form-urlencoded"), &encoded),
        (Some("application/x-www-form-urlencoded"), &login),
        (Some("multipart/form-data; boundary=x"), &login),
        (None, &login),
    ] {
        for (origin, site) in [
            ("https://evil.example", Some("cross-site")),
            ("https://evil.example", None),
            ("https://b.auth.example", Some("same-site")),
            ("null", None),
        ] {
            // In total more often than a budget has attempts.
            let path = "/login?refresh_cookie=true&device_cookie=true";
            let mut request = app.post(path).bytes(body.clone()).header("Origin", origin);
            if let Some(content_type) = content_type {
                request = request.header("Content-Type", content_type);
            }
            if let Some(site) = site {
                request = request.header("Sec-Fetch-Site", site);
            }
            let answer = request.send().await;
            let what = format!("{content_type:?} {origin} {site:?}");
            let found = (answer.status, answer.code());
            assert_eq!(found, (415, "unsupported_media_type".to_owned()), "{what}");
            assert!(!answer.headers.contains_key("set-cookie"), "{what}");
            assert!(!answer.headers.contains_key("device-token"), "{what}");
        }
    }
    let sessions = app.get("/me/sessions").bearer(&mallory.access).send().await;
    assert_eq!(sessions.body["sessions"].as_array().map(Vec::len), Some(1));
    app.log_in("mallory").await;
}

#[actix_web::test]
async fn permitted_pages_and_clients_without_an_origin_can_ask_for_cookies() {
    let app = with_page(app());
    app.user("alice").await;
    for (page, sent) in [
        ("none", &[][..]),
        ("own", &[("Origin", OWN), ("Sec-Fetch-Site", "same-origin")]),
        ("listed", &[("Origin", PAGE), ("Sec-Fetch-Site", "same-site")]),
    ] {
        for cookie in ["refresh_cookie", "device_cookie"] {
            let pair = app.log_in("alice").await;
            for (path, request) in asking(&app, &pair, cookie) {
                if path == "/me/password" {
                    continue;
                }
                let request = sent
                    .iter()
                    .fold(request, |request, (name, value)| request.header(name, value));
                let answer = request.send().await;
                assert_eq!(answer.status, 200, "{page} {path}: {}", answer.body);
                assert!(answer.headers.contains_key("set-cookie"), "{page} {path}");
            }
        }
    }
}

#[actix_web::test]
async fn without_the_parameter_no_response_sets_the_cookies() {
    let app = without_docs(app());
    app.user("alice").await;
    for path in ["/login", "/login?refresh_cookie=false"] {
        let login = app
            .post(path)
            .json(&json!({"login": "alice", "password": PASSWORD}));
        let answer = login.send().await;
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
        let refreshed = app.post("/refresh").bearer(&answer.pair().refresh).send().await;
        assert!(!refreshed.headers.contains_key("set-cookie"), "{path}");
        assert!(refreshed.body["refresh_token"].is_string(), "{path}");
    }
}

#[actix_web::test]
async fn a_refresh_by_cookie_returns_the_next_token_only_as_a_cookie() {
    let app = without_docs(app());
    let mut token = alice(&app).await.refresh;
    for path in [
        "/refresh",
        "/refresh?refresh_cookie=false",
        "/refresh?refresh_cookie=true",
    ] {
        let answer = posting(&app, path, &token).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        let pair = pair_in(&answer);
        assert_ne!(pair.refresh, token, "{path}");
        assert_eq!(app.me_code(&pair).await, "accepted");
        token = pair.refresh;
    }
}

#[actix_web::test]
async fn a_request_that_does_not_prove_its_origin_changes_nothing() {
    let app = with_page(app());
    let pair = alice(&app).await;
    for (origin, site, accepted) in [
        (None, None, false),
        (None, Some("same-origin"), false),
        (Some("null"), None, false),
        (Some("https://evil.example"), Some("cross-site"), false),
        (Some("https://evil.example"), None, false),
        (Some("https://b.auth.example"), Some("same-site"), false),
        (Some(OWN), Some("cross-site"), false),
        (Some(OWN), Some("same-site"), false),
        (Some(OWN), Some("none"), false),
        (Some(PAGE), Some("cross-site"), false),
        (Some(OWN), Some("same-origin"), true),
        (Some(OWN), None, true),
        (Some(PAGE), Some("same-site"), true),
        (Some(PAGE), Some("same-origin"), true),
        (Some(PAGE), None, true),
    ] {
        let mut statuses = Vec::new();
        for path in ["/refresh", "/logout", "/logout?everywhere=true"] {
            if accepted && path != "/refresh" {
                continue;
            }
            let mut request = app
                .post(path)
                .header("Cookie", &format!("{COOKIE}={}", pair.refresh));
            if let Some(origin) = origin {
                request = request.header("Origin", origin);
            }
            if let Some(site) = site {
                request = request.header("Sec-Fetch-Site", site);
            }
            let answer = request.send().await;
            if !accepted {
                assert_eq!(
                    answer.code(),
                    "cookie_origin_refused",
                    "{path} {origin:?} {site:?}"
                );
                // A page of another site must not log the user out.
                assert!(!answer.headers.contains_key("set-cookie"));
            }
            statuses.push(answer.status);
        }
        let expected = if accepted { vec![200] } else { vec![403; 3] };
        // Repeats within the grace window are accepted.
        assert_eq!(statuses, expected, "{origin:?} {site:?}");
        assert_eq!(app.me_code(&pair).await, "accepted");
    }
}

#[actix_web::test]
async fn a_logout_by_cookie_ends_the_session_and_clears_the_cookies() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    let other = app.log_in("alice").await;
    let answer = posting(&app, "/logout", &pair.refresh).send().await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    check_cleared(&answer);
    assert_eq!(app.me_code(&pair).await, "token_revoked");
    assert_eq!(app.me_code(&other).await, "accepted");

    let again = posting(&app, "/logout", &pair.refresh).send().await;
    assert_eq!((again.status, again.code().as_str()), (401, "session_revoked"));
    check_cleared(&again);
}

#[actix_web::test]
async fn a_logout_everywhere_by_cookie_ends_all_sessions() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    let other = app.log_in("alice").await;
    let answer = posting(&app, "/logout?everywhere=true", &pair.refresh)
        .send()
        .await;
    assert_eq!(answer.status, 204);
    for pair in [pair, other] {
        assert_eq!(app.me_code(&pair).await, "token_revoked");
    }
}

#[actix_web::test]
async fn a_logout_by_header_ends_the_session_of_the_cookie_as_well() {
    let app = without_docs(app());
    for everywhere in [false, true] {
        let path = if everywhere {
            "/logout?everywhere=true"
        } else {
            "/logout"
        };
        let name = format!("mallory{everywhere}");
        app.user(&name).await;
        let other = app.log_in(&name).await;
        let with_cookie = if everywhere {
            log_in(&app).await
        } else {
            alice(&app).await
        };
        let third = app.log_in("alice").await;
        let answer = posting(&app, path, &with_cookie.refresh)
            .bearer(&other.access)
            .send()
            .await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        check_cleared(&answer);
        assert_eq!(app.me_code(&other).await, "token_revoked");
        assert_eq!(app.me_code(&with_cookie).await, "token_revoked");
        // The parameter is about the user of the token in the header.
        assert_eq!(app.me_code(&third).await, "accepted");
    }
}

#[actix_web::test]
async fn a_logout_by_header_clears_a_cookie_that_has_no_session_of_its_own() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    for token in [&*pair.refresh, &*pair.refresh, "", "x", "a.b.c"] {
        let other = app.log_in("alice").await;
        // The first is of the same session, which has ended at the second.
        let access = if app.me_code(&pair).await == "accepted" {
            &pair
        } else {
            &other
        };
        let answer = posting(&app, "/logout", token)
            .bearer(&access.access)
            .send()
            .await;
        assert_eq!(answer.status, 204, "{token}: {}", answer.body);
        check_cleared(&answer);
    }
    let plain = app.log_in("alice").await;
    let answer = app.post("/logout").bearer(&plain.access).send().await;
    assert!(!answer.headers.contains_key("set-cookie"), "no cookie was sent");
}

#[actix_web::test]
async fn a_logout_by_header_leaves_a_cookie_that_it_may_not_use() {
    let app = without_docs(app());
    let with_cookie = alice(&app).await;
    let one = format!("{COOKIE}={}", with_cookie.refresh);
    let two = format!("{one}; {one}");
    for (origin, cookie) in [
        (None, &one),
        (Some("https://evil.example"), &one),
        (Some(OWN), &two),
    ] {
        let other = app.log_in("alice").await;
        let request = app.post("/logout").bearer(&other.access).header("Cookie", cookie);
        let request = match origin {
            Some(origin) => request.header("Origin", origin),
            None => request,
        };
        let answer = request.send().await;
        assert_eq!(answer.status, 204, "{}", answer.body);
        assert!(!answer.headers.contains_key("set-cookie"), "{origin:?}");
        assert_eq!(app.me_code(&other).await, "token_revoked");
        assert_eq!(app.me_code(&with_cookie).await, "accepted");
    }
}

#[actix_web::test]
async fn a_refused_token_in_the_header_is_not_replaced_by_the_cookie() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    for (path, code) in [
        ("/logout", "token_malformed"),
        ("/refresh", "refresh_token_invalid"),
    ] {
        let answer = posting(&app, path, &pair.refresh).bearer("a.b.c").send().await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{path}");
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
    }
    assert_eq!(app.me_code(&pair).await, "accepted");
}

#[actix_web::test]
async fn a_token_in_header_or_body_outranks_the_cookie_at_a_refresh() {
    let app = without_docs(app());
    let with_cookie = alice(&app).await;
    let session = async |access: &str| {
        let me = app.get("/me").bearer(access).send().await;
        me.body["session"]["id"].clone()
    };
    let own = session(&with_cookie.access).await;
    for in_body in [false, true] {
        let other = app.log_in("alice").await;
        let request = posting(&app, "/refresh", &with_cookie.refresh);
        let request = if in_body {
            request.json(&json!({"refresh_token": other.refresh}))
        } else {
            request.bearer(&other.refresh)
        };
        let answer = request.send().await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!answer.headers.contains_key("set-cookie"));
        let pair = answer.pair();
        let refreshed = session(&pair.access).await;
        assert_eq!(refreshed, session(&other.access).await);
        assert_ne!(refreshed, own);
    }
}

#[actix_web::test]
async fn a_cookie_that_is_refused_for_good_is_cleared() {
    for (end, code) in [
        ("reuse", "refresh_token_reused"),
        ("logout", "session_revoked"),
        ("time", "session_expired"),
        ("forgery", "refresh_token_invalid"),
        ("text", "refresh_token_invalid"),
        ("access token", "refresh_token_invalid"),
    ] {
        let app = without_docs(app());
        let pair = alice(&app).await;
        let mut token = pair.refresh.clone();
        match end {
            "reuse" => {
                let next = posting(&app, "/refresh", &token).send().await;
                app.clock.advance(TimeDelta::minutes(1));
                posting(&app, "/refresh", &token_in(&next, "")).send().await;
                app.clock.advance(TimeDelta::minutes(1));
            }
            "logout" => {
                app.post("/logout").bearer(&pair.access).send().await;
            }
            "time" => app.clock.advance(TimeDelta::days(31)),
            "forgery" => token.replace_range(40..44, if &token[40..44] == "AAAA" { "BBBB" } else { "AAAA" }),
            "text" => token = "%22; a=\"".to_owned(),
            "access token" => token.clone_from(&pair.access),
            _ => panic!("unknown end {end}"),
        }
        let answer = posting(&app, "/refresh", &token).send().await;
        assert_eq!((answer.status, answer.code().as_str()), (401, code), "{end}");
        check_cleared(&answer);
        if ["text", "access token"].contains(&end) {
            let answer = posting(&app, "/logout", &token).send().await;
            assert_eq!((answer.status, answer.code().as_str()), (401, code), "{end}");
            check_cleared(&answer);
            assert_eq!(app.me_code(&pair).await, "accepted", "{end}");
        }
    }
}

/// A sibling domain can add a cookie with its own token. If the user's were cleared, the sibling's
/// would remain, and the user would be in the sibling's account.
#[actix_web::test]
async fn a_repeated_cookie_is_refused_and_kept() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    app.user("mallory").await;
    let tossed = app.log_in("mallory").await;
    for second in [&*tossed.refresh, &*pair.refresh, ""] {
        for (one, other) in [(&*pair.refresh, second), (second, &*pair.refresh)] {
            for path in ["/refresh", "/logout", "/logout?everywhere=true"] {
                let both = format!("{one}; {COOKIE}={other}");
                let answer = posting(&app, path, &both).send().await;
                let found = (answer.status, answer.code());
                assert_eq!(found, (401, "refresh_token_invalid".to_owned()), "{path}");
                assert!(!answer.headers.contains_key("set-cookie"), "{path}");
            }
        }
    }
    assert_eq!(app.me_code(&tossed).await, "accepted");
    let alone = posting(&app, "/refresh", &pair.refresh).send().await;
    assert_eq!(alone.status, 200, "{}", alone.body);
}

#[actix_web::test]
async fn a_cookie_is_kept_while_the_service_is_unavailable() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    let other = app.log_in("alice").await;
    app.storage.disconnect();
    for path in ["/refresh", "/logout", "/logout?everywhere=true"] {
        let answer = posting(&app, path, &pair.refresh).send().await;
        let found = (answer.status, answer.code());
        assert_eq!(found, (503, "unavailable".to_owned()), "{path}");
        assert!(!answer.headers.contains_key("set-cookie"), "{path}");
    }
    let by_header = posting(&app, "/logout", &pair.refresh).bearer(&other.access);
    let answer = by_header.send().await;
    assert_eq!(answer.status, 503, "{}", answer.body);
    assert!(!answer.headers.contains_key("set-cookie"));

    app.storage.reconnect();
    for pair in [&pair, &other] {
        assert_eq!(app.me_code(pair).await, "accepted", "the logouts ended nothing");
    }
    let answer = posting(&app, "/logout", &pair.refresh).send().await;
    assert_eq!(answer.status, 204, "{}", answer.body);
    check_cleared(&answer);
    assert_eq!(app.me_code(&pair).await, "token_revoked");
}

#[actix_web::test]
async fn no_other_route_accepts_the_cookie() {
    let app = without_docs(app());
    let pair = alice(&app).await;
    let mut routes = 0;
    for row in rows() {
        let is_protected = row.cells.contains(&("none", 401));
        if !is_protected || ["/refresh", "/logout", "/login"].contains(&row.path) {
            continue;
        }
        routes += 1;
        for token in [&pair.refresh, &pair.access] {
            let method = Method::try_from(row.method).expect("the method is valid");
            let request = app
                .request(method, row.path)
                .header("Origin", OWN)
                .header("Sec-Fetch-Site", "same-origin")
                .header("Cookie", &format!("{COOKIE}={token}"));
            let answer = request.send().await;
            let found = (answer.status, answer.code());
            assert_eq!(
                found,
                (401, "token_missing".to_owned()),
                "{} {}",
                row.method,
                row.path
            );
        }
    }
    assert!(routes > 15, "{routes}");
}

#[actix_web::test]
async fn the_paths_of_all_cookies_have_the_prefix() {
    let mut app = without_docs(app());
    app.edge.settings.cookie_path_prefix = CookiePathPrefix::parse("/auth").expect("a prefix");
    app.user("alice").await;
    let login = app
        .post("/login?refresh_cookie=true&device_cookie=true")
        .json(&json!({"login": "alice", "password": PASSWORD}));
    let answer = login.send().await;
    token_in(&answer, "/auth");
    let lines = answer.headers.get_all("set-cookie");
    let paths = lines.filter_map(|line| line.to_str().ok()?.split("; ").find(|it| it.starts_with("Path=")));
    let mut paths: Vec<_> = paths.collect();
    paths.sort_unstable();
    assert_eq!(
        paths,
        ["Path=/auth/login", "Path=/auth/logout", "Path=/auth/refresh"]
    );
}
