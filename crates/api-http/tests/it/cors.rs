//! Cross-origin resource sharing: which pages may read which responses.

use crate::app::{
    Answer, PASSWORD, Request, TestApp, app, broken_app, counting_app, throttled_app, without_docs,
};
use actix_web::http::Method;
use api_http::WebOrigin;
use serde_json::json;
use std::collections::BTreeSet;

pub const PAGE: &str = "https://app.example";
const OTHER: &str = "https://evil.example";

const ALLOW_ORIGIN: &str = "access-control-allow-origin";
const ALLOW_CREDENTIALS: &str = "access-control-allow-credentials";
const ALLOW_HEADERS: &str = "access-control-allow-headers";
const ALLOW_METHODS: &str = "access-control-allow-methods";
const EXPOSE_HEADERS: &str = "access-control-expose-headers";
const MAX_AGE: &str = "access-control-max-age";

const PUBLIC: [&str; 2] = [
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
];

/// Lists [`PAGE`] in the settings of `app`.
pub fn with_page(app: TestApp) -> TestApp {
    let mut app = without_docs(app);
    app.edge.settings.cors_origins = vec![WebOrigin::parse(PAGE).expect("an origin")];
    app
}

async fn preflight(app: &TestApp, path: &str, origin: &str, method: &str, headers: &str) -> Answer {
    let request = app
        .request(Method::OPTIONS, path)
        .header("Origin", origin)
        .header("Access-Control-Request-Method", method);
    let request = if headers.is_empty() {
        request
    } else {
        request.header("Access-Control-Request-Headers", headers)
    };
    request.send().await
}

/// A request of [`PAGE`].
fn page<'a>(app: &'a TestApp, method: Method, path: &str) -> Request<'a> {
    app.request(method, path).header("Origin", PAGE)
}

/// The names of the CORS headers of a response.
fn permissions(answer: &Answer) -> Vec<String> {
    let names = answer.headers.keys().map(|name| name.as_str().to_owned());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

fn set(list: &str) -> BTreeSet<&str> {
    list.split(", ").collect()
}

fn check_readable(answer: &Answer, what: &str) {
    assert_eq!(answer.header(ALLOW_ORIGIN), PAGE, "{what}");
    assert_eq!(answer.header(ALLOW_CREDENTIALS), "true", "{what}");
    assert!(set(answer.header("vary")).contains("Origin"), "{what}");
    let exposed = set(answer.header(EXPOSE_HEADERS));
    let expected = [
        "device-token",
        "etag",
        "location",
        "ratelimit",
        "retry-after",
        "www-authenticate",
        "x-request-id",
    ];
    assert_eq!(exposed, BTreeSet::from(expected), "{what}");
}

#[actix_web::test]
async fn without_origins_no_response_has_cors_headers() {
    let app = without_docs(app());
    for path in ["/me", "/nothing", "/health/live"] {
        let answer = app.get(path).header("Origin", PAGE).send().await;
        assert_eq!(permissions(&answer), [""; 0], "{path}");
        assert!(!answer.headers.contains_key("vary"), "{path}");
    }
    let asked = preflight(&app, "/me", PAGE, "GET", "authorization").await;
    assert_eq!((asked.status, asked.header("allow")), (405, "GET, HEAD, DELETE"));
    assert_eq!(permissions(&asked), [""; 0]);
}

#[actix_web::test]
async fn a_preflight_of_a_listed_page_permits_what_the_api_uses() {
    let app = with_page(app());
    let every_header = "authorization,content-type,device-token,if-match,if-none-match,traceparent,tracestate,\
                        x-request-id";
    for (path, method) in [
        ("/login", "POST"),
        ("/me", "DELETE"),
        ("/users/x", "PATCH"),
        ("/roles/x", "PUT"),
        ("/me", "HEAD"),
        ("/nothing", "GET"),
    ] {
        for headers in ["", "content-type", every_header] {
            let answer = preflight(&app, path, PAGE, method, headers).await;
            assert_eq!(answer.status, 200, "{path} {headers}: {}", answer.body);
            assert!(answer.raw.is_empty());
            assert_eq!(answer.header(ALLOW_ORIGIN), PAGE);
            assert_eq!(answer.header(ALLOW_CREDENTIALS), "true");
            assert_eq!(answer.header(MAX_AGE), "7200");
            let methods = BTreeSet::from(["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]);
            assert_eq!(set(answer.header(ALLOW_METHODS)), methods);
            let permitted: BTreeSet<_> = every_header.split(',').collect();
            assert_eq!(set(answer.header(ALLOW_HEADERS)), permitted);
            assert!(set(answer.header("vary")).contains("Origin"));
        }
    }
}

#[actix_web::test]
async fn other_preflights_are_refused_with_a_code_and_permit_nothing() {
    let app = with_page(app());
    for (origin, method, headers, code) in [
        (OTHER, "GET", "", "cors_origin_refused"),
        ("null", "GET", "", "cors_origin_refused"),
        ("https://APP.example", "GET", "", "cors_origin_refused"),
        ("https://app.example:443", "GET", "", "cors_origin_refused"),
        ("http://app.example", "GET", "", "cors_origin_refused"),
        (
            "https://app.example.evil.example",
            "GET",
            "",
            "cors_origin_refused",
        ),
        (PAGE, "TRACE", "", "cors_method_refused"),
        (PAGE, "PURGE", "", "cors_method_refused"),
        (PAGE, "GET", "x-forwarded-for", "cors_headers_refused"),
        (PAGE, "GET", "authorization, x-other", "cors_headers_refused"),
        (PAGE, "GET", "a b", "malformed_request"),
    ] {
        let answer = preflight(&app, "/me", origin, method, headers).await;
        let found = (answer.status, answer.code());
        assert_eq!(found, (400, code.to_owned()), "{origin} {method} {headers}");
        assert_eq!(permissions(&answer), [""; 0], "{origin} {method} {headers}");
    }
    let nameless = app
        .request(Method::OPTIONS, "/me")
        .header("Access-Control-Request-Method", "GET");
    assert_eq!(nameless.send().await.code(), "malformed_request");
}

#[actix_web::test]
async fn a_preflight_with_an_invalid_host_is_refused() {
    let app = with_page(app());
    for path in ["/me", PUBLIC[0]] {
        let request = app
            .request(Method::OPTIONS, path)
            .header("Host", "other.example")
            .header("Origin", PAGE)
            .header("Access-Control-Request-Method", "GET");
        let answer = request.send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "malformed_request")
        );
    }
}

#[actix_web::test]
async fn other_requests_with_the_method_options_are_answered_as_without_cors() {
    let app = with_page(app());
    let answer = app
        .request(Method::OPTIONS, "/me")
        .header("Origin", PAGE)
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (405, "method_not_allowed")
    );
    check_readable(&answer, "OPTIONS");
}

#[actix_web::test]
async fn a_listed_page_can_read_every_kind_of_response() {
    let app = with_page(app());
    let alice = app.user("alice").await;
    let login = json!({"login": "alice", "password": PASSWORD});
    let (throttled, broken) = (with_page(throttled_app()), with_page(broken_app()));
    for (what, request, status) in [
        (
            "success",
            page(&app, Method::GET, "/me").bearer(&alice.access),
            200,
        ),
        ("no token", page(&app, Method::GET, "/me"), 401),
        (
            "no permission",
            page(&app, Method::GET, "/users").bearer(&alice.access),
            403,
        ),
        ("no such path", page(&app, Method::GET, "/nothing"), 404),
        ("no such method", page(&app, Method::PUT, "/login"), 405),
        (
            "no JSON",
            page(&app, Method::POST, "/login")
                .header("Content-Type", "application/json")
                .bytes("{oops"),
            400,
        ),
        (
            "wrong shape",
            page(&app, Method::POST, "/login").json(&json!({"x": 1})),
            422,
        ),
        ("unknown parameter", page(&app, Method::GET, "/me?x=1"), 422),
        ("wrong type", page(&app, Method::POST, "/login").bytes("x"), 415),
        (
            "too large",
            page(&app, Method::POST, "/login")
                .header("Content-Type", "application/json")
                .bytes(vec![b' '; 20_000]),
            413,
        ),
        (
            "two hosts",
            page(&app, Method::GET, "/me").header("Host", "b.example"),
            400,
        ),
        (
            "throttled",
            page(&throttled, Method::POST, "/login").json(&login),
            429,
        ),
        ("a bug", page(&broken, Method::POST, "/login").json(&login), 500),
    ] {
        let answer = request.send().await;
        assert_eq!(answer.status, status, "{what}: {}", answer.body);
        check_readable(&answer, what);
    }
    app.storage.disconnect();
    let away = app.get("/me").bearer(&alice.access).header("Origin", PAGE);
    let away = away.send().await;
    assert_eq!(away.status, 503);
    check_readable(&away, "storage away");
}

#[actix_web::test]
async fn a_response_is_unchanged_for_other_pages_and_without_an_origin() {
    let app = with_page(app());
    let alice = app.user("alice").await;
    for origin in [Some(OTHER), Some("null"), None] {
        for (path, status) in [("/me", 200), ("/nothing", 404)] {
            let mut request = app.get(path).bearer(&alice.access);
            if let Some(origin) = origin {
                request = request.header("Origin", origin);
            }
            let answer = request.send().await;
            assert_eq!(answer.status, status, "{origin:?}");
            assert_eq!(permissions(&answer), [""; 0], "{origin:?}");
            // A cache must not serve it to a listed page.
            assert!(set(answer.header("vary")).contains("Origin"), "{origin:?}");
        }
    }
}

#[actix_web::test]
async fn every_page_can_read_the_public_documents_without_cookies() {
    for app in [without_docs(app()), with_page(app())] {
        for path in PUBLIC
            .into_iter()
            .chain(["/.well-known/oauth-authorization-server/x"])
        {
            for origin in [Some(PAGE), Some(OTHER), Some("null"), None] {
                let mut request = app.get(path).header("If-None-Match", "*");
                if let Some(origin) = origin {
                    request = request.header("Origin", origin);
                }
                let answer = request.send().await;
                let expected = match path {
                    "/.well-known/jwks.json" => 304,
                    "/.well-known/oauth-authorization-server" => 200,
                    _ => 404,
                };
                assert_eq!(answer.status, expected, "{path}");
                assert_eq!(answer.header(ALLOW_ORIGIN), "*", "{path} {origin:?}");
                assert!(
                    !answer.headers.contains_key(ALLOW_CREDENTIALS),
                    "{path} {origin:?}"
                );
                assert!(!answer.headers.contains_key("vary"), "{path} {origin:?}");
                assert_eq!(
                    set(answer.header(EXPOSE_HEADERS)),
                    BTreeSet::from(["etag", "x-request-id"])
                );
            }
            let asked = preflight(&app, path, OTHER, "GET", "if-none-match").await;
            assert_eq!((asked.status, asked.header(ALLOW_ORIGIN)), (200, "*"), "{path}");
            assert_eq!(set(asked.header(ALLOW_METHODS)), BTreeSet::from(["GET", "HEAD"]));
            for (method, headers, code) in [
                ("POST", "", "cors_method_refused"),
                ("GET", "authorization", "cors_headers_refused"),
            ] {
                let refused = preflight(&app, path, PAGE, method, headers).await;
                assert_eq!((refused.status, refused.code().as_str()), (400, code), "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn preflights_are_no_attempts() {
    let app = with_page(counting_app());
    app.user("alice").await;
    for _ in 0..200 {
        let asked = preflight(&app, "/login", PAGE, "POST", "content-type").await;
        assert_eq!(asked.status, 200);
    }
    app.log_in("alice").await;
}
