//! Web pages of another origin: CORS, and the refresh token as a cookie.

use crate::{
    client::{Answer, Call, Client, PASSWORD, Pair},
    server::{Place, Server},
};
use reqwest::Method;
use serde_json::{Value, json};

const COOKIE: &str = "__Secure-authapi-refresh";
const SERVICE: &str = "https://auth.example.com";
const PAGE: &str = "https://app.example.com";
const OTHER: &str = "https://evil.example";

fn place() -> Place {
    Place::new()
        .with("TOKENS__ISSUER", SERVICE)
        .with("CORS__ORIGINS", &format!("http://localhost:5173,{PAGE}"))
}

fn start() -> Server {
    place().start()
}

/// A request that a browser sends for a page of `origin`, on the same site as the service or not.
fn from_page(call: Call, origin: &str, site: &str) -> Call {
    call.header("Origin", origin.as_bytes())
        .header("Sec-Fetch-Site", site.as_bytes())
}

fn preflight(client: &Client, origin: &str, path: &str) -> Call {
    let call = client.call(Method::OPTIONS, path);
    call.header("Origin", origin.as_bytes())
        .header("Access-Control-Request-Method", b"POST")
        .header("Access-Control-Request-Headers", b"authorization,content-type")
}

/// Posts with the cookie that contains `token`.
fn posting(client: &Client, path: &str, token: &str) -> Call {
    let cookie = format!("{COOKIE}={token}");
    client.post(path).header("Cookie", cookie.as_bytes())
}

/// Returns the access token and the token in the two cookies of a response.
fn pair_in(answer: &Answer) -> Pair {
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert_eq!(answer.body.get("refresh_token"), None);
    let mut tokens = cookies(answer);
    assert_eq!(tokens.len(), 2);
    tokens.dedup();
    let [token] = &tokens[..] else {
        panic!("the cookies differ");
    };
    let access = answer.body["access_token"].as_str();
    Pair {
        access: access.expect("the response contains a token").to_owned(),
        refresh: token.clone(),
    }
}

/// Returns the values of the refresh cookies that a response sets.
fn cookies(answer: &Answer) -> Vec<String> {
    let lines = answer.headers.get_all("set-cookie").iter();
    let values = lines.filter_map(|line| {
        let pair = line.to_str().ok()?.split(';').next()?;
        pair.strip_prefix(COOKIE)?.strip_prefix('=').map(str::to_owned)
    });
    values.collect()
}

async fn log_in(client: &Client, login: &str) -> Pair {
    assert_eq!(client.register(login).await.status, 201);
    let call = client.post("/login?refresh_cookie=true");
    let call = call.json(&json!({"login": login, "password": PASSWORD}));
    let answer = from_page(call, PAGE, "same-site").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), PAGE);
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    pair_in(&answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_the_settings_logs_in_refreshes_and_logs_out_by_cookie() {
    let server = start();
    let client = server.client();
    for path in ["/login", "/refresh", "/me"] {
        let permitted = preflight(&client, PAGE, path).send().await;
        assert_eq!(permitted.status, 200, "{path}");
        assert_eq!(permitted.header("access-control-allow-origin"), PAGE);
        let refused = preflight(&client, OTHER, path).send().await;
        assert_eq!((refused.status, refused.code()), (400, "cors_origin_refused"));
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }

    let first = log_in(&client, "alice").await;
    let refresh = posting(&client, "/refresh", &first.refresh);
    let second = pair_in(&from_page(refresh, PAGE, "same-site").send().await);
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(client.me_code(&second.access).await, "accepted");

    let logout = posting(&client, "/logout", &second.refresh);
    let done = from_page(logout, PAGE, "same-site").send().await;
    assert_eq!(done.status, 204);
    assert_eq!(cookies(&done), ["", ""]);
    for client in server.each() {
        for pair in [&first, &second] {
            assert_eq!(client.me_code(&pair.access).await, "token_revoked");
        }
    }
    let late = posting(&client, "/refresh", &second.refresh);
    let late = from_page(late, PAGE, "same-site").send().await;
    assert_eq!((late.status, late.code()), (401, "session_revoked"));
    assert_eq!(cookies(&late), ["", ""]);
}

/// Each tab refreshes with the cookie that the previous one received. Then the requests arrive that
/// were sent with earlier cookies, in any order, and at any replica.
#[tokio::test(flavor = "multi_thread")]
async fn staggered_tabs_share_one_cookie() {
    let server = place().with("TOKENS__REFRESH_GRACE", "1m").start();
    let client = server.client();
    let refresh = async |token: &str| {
        let call = posting(&client, "/refresh", token);
        pair_in(&from_page(call, PAGE, "same-site").send().await)
    };
    for (login, tabs) in [("alice", 3), ("bob", 10)] {
        let mut sent = vec![log_in(&client, login).await.refresh];
        for _ in 1..tabs {
            let newest = &sent[sent.len() - 1];
            let next = refresh(newest).await.refresh;
            sent.push(next);
        }
        let current = sent.pop().expect("there are tabs");
        for token in sent.iter().chain(sent.iter().rev()) {
            let late = refresh(token).await;
            assert_eq!(late.refresh, current, "{tabs} tabs");
            assert_eq!(client.me_code(&late.access).await, "accepted");
        }
        let next = refresh(&current).await;
        assert_ne!(next.refresh, current);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_pages_cannot_use_the_cookie() {
    let server = start();
    let client = server.client();
    let pair = log_in(&client, "alice").await;
    for path in ["/refresh", "/logout", "/logout?everywhere=true"] {
        for (origin, site) in [
            (OTHER, "cross-site"),
            (OTHER, "same-origin"),
            ("https://other.example.com", "same-site"),
            ("null", "cross-site"),
            (PAGE, "cross-site"),
            (SERVICE, "same-site"),
            (SERVICE, "none"),
        ] {
            let call = from_page(posting(&client, path, &pair.refresh), origin, site);
            let refused = call.send().await;
            let found = (refused.status, refused.code());
            assert_eq!(found, (403, "cookie_origin_refused"), "{path} {origin} {site}");
            assert!(!refused.headers.contains_key("set-cookie"));
        }
        let refused = posting(&client, path, &pair.refresh).send().await;
        assert_eq!(refused.code(), "cookie_origin_refused", "{path}");
    }
    let me = posting(&client, "/me/reauthenticate", &pair.refresh).json(&json!({"password": PASSWORD}));
    assert_eq!(
        from_page(me, SERVICE, "same-origin").send().await.code(),
        "token_missing"
    );

    // The session is unchanged: the service's own page refreshes with the same token.
    let own = from_page(
        posting(&client, "/refresh", &pair.refresh),
        SERVICE,
        "same-origin",
    );
    pair_in(&own.send().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_can_read_the_keys_and_the_metadata() {
    let server = Server::start();
    let client = server.client();
    for path in [
        "/.well-known/jwks.json",
        "/.well-known/oauth-authorization-server",
    ] {
        let answer = client.get(path).header("Origin", OTHER.as_bytes()).send().await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.header("access-control-allow-origin"), "*");
    }
    // CORS is disabled by default.
    let refused = preflight(&client, PAGE, "/login").send().await;
    assert_eq!((refused.status, refused.code()), (405, "method_not_allowed"));
    assert_eq!(refused.header("access-control-allow-origin"), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_is_one_line_of_the_log() {
    let server = start();
    preflight(&server.client(), OTHER, "/login").send().await;
    let stopped = server.terminate();
    let events = stopped
        .log
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let lines: Vec<_> = events.filter(|event| event["method"] == "OPTIONS").collect();
    let [line] = &lines[..] else {
        panic!("{lines:#?}");
    };
    let expected = (
        &json!("answered"),
        &json!("/login"),
        &json!("cors_origin_refused"),
    );
    assert_eq!((&line["message"], &line["route"], &line["code"]), expected);
    assert!(!stopped.log.iter().any(|line| line.contains("evil.example")));
}
