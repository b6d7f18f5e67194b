//! Checks exact metric values, and that no client text becomes a label.

use crate::{
    app::{PASSWORD, TestApp, app, throttled_app},
    cors::{PAGE, with_page},
};
use actix_web::http::Method;
use chrono::Duration;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use serde_json::json;
use std::collections::BTreeMap;

/// Runs `test` with a recorder on this thread.
async fn measured<T>(test: impl AsyncFnOnce() -> T) -> (T, Measured) {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _recording = metrics::set_default_local_recorder(&recorder);
    let outcome = test().await;
    (outcome, Measured::of(&snapshotter))
}

/// Every series, as `name{label=value,..}`.
#[derive(Debug)]
struct Measured {
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    /// The number of values of each histogram.
    histograms: BTreeMap<String, usize>,
}

impl Measured {
    fn of(snapshotter: &Snapshotter) -> Self {
        let mut measured = Self {
            counters: BTreeMap::new(),
            gauges: BTreeMap::new(),
            histograms: BTreeMap::new(),
        };
        for (key, _, description, value) in snapshotter.snapshot().into_vec() {
            assert!(description.is_some(), "{key:?} is not described");
            let labels: Vec<String> = key
                .key()
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            let series = format!("{}{{{}}}", key.key().name(), labels.join(","));
            match value {
                DebugValue::Counter(count) => {
                    measured.counters.insert(series, count);
                }
                DebugValue::Gauge(value) => {
                    measured.gauges.insert(series, value.into_inner());
                }
                DebugValue::Histogram(values) => {
                    measured.histograms.insert(series, values.len());
                }
            }
        }
        measured
    }

    /// The counters whose names begin with `prefix`.
    fn counters(&self, prefix: &str) -> Vec<(&str, u64)> {
        let counters = self.counters.iter().filter(|(name, _)| name.starts_with(prefix));
        counters.map(|(name, count)| (name.as_str(), *count)).collect()
    }
}

async fn log_in(app: &TestApp, password: &str) -> u16 {
    let body = json!({"login": "alice", "password": password});
    app.post("/login").json(&body).send().await.status
}

#[actix_web::test]
async fn requests_are_counted_by_route_method_and_status_and_timed() {
    let ((), measured) = measured(async || {
        let app = app();
        let pair = app.user("alice").await;
        for _ in 0..3 {
            assert_eq!(app.get("/me").bearer(&pair.access).send().await.status, 200);
        }
        assert_eq!(app.get("/me").send().await.status, 401);
        assert_eq!(app.delete("/me/sessions/nonsense").send().await.status, 401);
        assert_eq!(app.post("/me").send().await.status, 405);
    })
    .await;
    assert_eq!(
        measured.counters("http_requests_total"),
        [
            ("http_requests_total{route=/login,method=POST,status=200}", 1),
            ("http_requests_total{route=/me,method=GET,status=200}", 3),
            ("http_requests_total{route=/me,method=GET,status=401}", 1),
            ("http_requests_total{route=/me,method=POST,status=405}", 1),
            (
                "http_requests_total{route=/me/sessions/{id},method=DELETE,status=401}",
                1
            ),
            ("http_requests_total{route=/register,method=POST,status=201}", 1),
        ]
    );
    assert_eq!(
        measured.counters("authapi_refusals_total"),
        [
            ("authapi_refusals_total{code=method_not_allowed}", 1),
            ("authapi_refusals_total{code=token_missing}", 2),
        ]
    );
    assert_eq!(
        measured.histograms["http_request_duration_seconds{route=/me,method=GET}"],
        4
    );
    assert!(measured.gauges["http_requests_in_flight{}"].abs() < f64::EPSILON);
}

#[actix_web::test]
async fn logins_are_counted_by_outcome() {
    let ((), measured) = measured(async || {
        let app = app();
        app.user("alice").await;
        assert_eq!(log_in(&app, PASSWORD).await, 200);
        for _ in 0..4 {
            assert_eq!(log_in(&app, "not the password").await, 401);
        }
        assert_eq!(log_in(&throttled_app(), PASSWORD).await, 429);
    })
    .await;
    assert_eq!(
        measured.counters("authapi_logins_total"),
        [
            ("authapi_logins_total{outcome=invalid_credentials}", 4),
            ("authapi_logins_total{outcome=success}", 2),
            ("authapi_logins_total{outcome=too_many_attempts}", 1),
        ]
    );
}

#[actix_web::test]
async fn attempts_to_reauthenticate_are_counted_by_outcome() {
    let ((), measured) = measured(async || {
        let app = app();
        let alice = app.user("alice").await;
        for (password, status) in [(PASSWORD, 200), ("not the password", 401), (PASSWORD, 200)] {
            let request = app.post("/me/reauthenticate").bearer(&alice.access);
            let answer = request.json(&json!({"password": password})).send().await;
            assert_eq!(answer.status, status, "{}", answer.body);
        }
    })
    .await;
    assert_eq!(
        measured.counters("authapi_reauthentications_total"),
        [
            ("authapi_reauthentications_total{outcome=invalid_credentials}", 1),
            ("authapi_reauthentications_total{outcome=success}", 2),
        ]
    );
}

#[actix_web::test]
async fn refreshes_are_counted_by_outcome() {
    let ((), measured) = measured(async || {
        let app = app();
        let first = app.user("alice").await;
        let second = app.post("/refresh").bearer(&first.refresh).send().await.pair();
        let third = app.post("/refresh").bearer(&second.refresh).send().await;
        assert_eq!(third.status, 200);
        app.clock.advance(Duration::seconds(10));
        assert_eq!(app.refresh_code(&first).await, "refresh_token_reused");
        assert_eq!(app.refresh_code(&second).await, "session_revoked");
    })
    .await;
    assert_eq!(
        measured.counters("authapi_refresh_total"),
        [
            ("authapi_refresh_total{outcome=refresh_token_reused}", 1),
            ("authapi_refresh_total{outcome=session_revoked}", 1),
            ("authapi_refresh_total{outcome=success}", 2),
        ]
    );
}

#[actix_web::test]
async fn preflights_are_counted_as_requests_of_their_route_and_not_as_logins() {
    let ((), measured) = measured(async || {
        let app = with_page(app());
        for (origin, path) in [
            (PAGE, "/login"),
            ("https://evil.example", "/login"),
            (PAGE, "/nothing"),
        ] {
            app.request(Method::OPTIONS, path)
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "POST")
                .send()
                .await;
        }
    })
    .await;
    assert_eq!(
        measured.counters(""),
        [
            ("authapi_refusals_total{code=cors_origin_refused}", 1),
            ("http_requests_total{route=/login,method=OPTIONS,status=200}", 1),
            ("http_requests_total{route=/login,method=OPTIONS,status=400}", 1),
            (
                "http_requests_total{route=unmatched,method=OPTIONS,status=200}",
                1
            ),
        ]
    );
}

#[actix_web::test]
async fn readiness_sets_the_dependency_gauge() {
    let ((), measured) = measured(async || {
        assert_eq!(app().get("/health/ready").send().await.status, 200);
    })
    .await;
    let up = measured.gauges["authapi_dependency_up{dependency=database}"];
    assert!((up - 1.0).abs() < f64::EPSILON);
}

#[actix_web::test]
async fn client_text_never_becomes_a_label() {
    let ((), measured) = measured(async || {
        let app = app();
        for number in 0..50 {
            let mark = format!("intruder-{number}");
            let method =
                Method::from_bytes(mark.to_uppercase().as_bytes()).expect("the text is a method token");
            let request_id = format!("{mark}.id");
            app.get(&format!("/{mark}?{mark}={mark}"))
                .header("User-Agent", &mark)
                .header("X-Request-Id", &request_id)
                .header("X-Forwarded-For", "203.0.113.9")
                .bearer(&mark)
                .send()
                .await;
            app.request(method.clone(), "/login").send().await;
            app.request(method, &format!("/{mark}")).send().await;
            app.delete(&format!("/me/sessions/{mark}")).send().await;
            let body = json!({"login": mark, "password": mark});
            app.post("/login").json(&body).send().await;
            app.post("/register").json(&body).send().await;
            app.post("/refresh").bearer(&mark).send().await;
        }
    })
    .await;
    let text = format!("{measured:?}");
    assert!(!text.to_lowercase().contains("intruder"), "{text}");
    assert!(
        !text.contains("203.0.113.9") && !text.contains("192.0.2.7"),
        "{text}"
    );
    assert_eq!(
        measured.counters("http_requests_total"),
        [
            ("http_requests_total{route=/login,method=POST,status=401}", 50),
            ("http_requests_total{route=/login,method=other,status=405}", 50),
            (
                "http_requests_total{route=/me/sessions/{id},method=DELETE,status=401}",
                50
            ),
            ("http_requests_total{route=/refresh,method=POST,status=401}", 50),
            ("http_requests_total{route=/register,method=POST,status=422}", 50),
            ("http_requests_total{route=unmatched,method=GET,status=404}", 50),
            ("http_requests_total{route=unmatched,method=other,status=404}", 50),
        ]
    );
}
