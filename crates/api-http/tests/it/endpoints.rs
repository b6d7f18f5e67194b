//! The successful responses of each endpoint, and its specific problems.

use crate::app::{Answer, NEW_PASSWORD, PASSWORD, app, throttled_app_by};
use api_http::SessionBus;
use chrono::Duration;
use domain::{
    ports::{ClockComparison, SessionMemory},
    throttle::{BudgetKind, Width},
    user::UserStatus,
};
use serde_json::{Value, json};
use std::sync::Arc;
use testkit::MemoryStorage;

/// The keys of a JSON object, to detect unexpected fields.
fn keys(value: &Value) -> Vec<&str> {
    value
        .as_object()
        .expect("the value is an object")
        .keys()
        .map(String::as_str)
        .collect()
}

#[actix_web::test]
async fn registering_returns_the_user_without_secrets() {
    let answer = app()
        .post("/register")
        .json(&json!({"login": "Alice", "password": PASSWORD}))
        .send()
        .await;
    assert_eq!(answer.status, 201);
    assert_eq!(keys(&answer.body), ["created_at", "id", "login", "roles"]);
    assert_eq!(answer.body["login"], "Alice");
    assert_eq!(answer.body["roles"], json!(["user"]));
    assert_eq!(answer.body["created_at"], "2026-01-12T13:46:40.123456Z");
}

#[actix_web::test]
async fn an_invalid_registration_reports_an_error_per_field() {
    let answer = app()
        .post("/register")
        .json(&json!({"login": "a b", "password": "1234567"}))
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (422, "validation_failed")
    );
    let errors = answer.body["errors"]
        .as_array()
        .expect("the response contains errors");
    assert_eq!(errors.len(), 2);
    assert_eq!(
        (&errors[0]["field"], &errors[0]["code"]),
        (&json!("login"), &json!("forbidden_characters"))
    );
    assert_eq!(
        (&errors[1]["field"], &errors[1]["code"]),
        (&json!("password"), &json!("too_short"))
    );
}

#[actix_web::test]
async fn a_weak_password_is_rejected_with_advice() {
    let answer = app()
        .post("/register")
        .json(&json!({"login": "alice", "password": "password"}))
        .send()
        .await;
    assert_eq!(
        (answer.status, answer.code().as_str()),
        (422, "validation_failed")
    );
    let error = &answer.body["errors"][0];
    assert_eq!(
        (&error["field"], &error["code"]),
        (&json!("password"), &json!("too_weak"))
    );
}

#[actix_web::test]
async fn a_predictable_password_is_rejected_with_a_code_of_its_own() {
    let answer = app()
        .post("/register")
        .json(&json!({"login": "alice", "password": "$pr1ng-Monday!!"}))
        .send()
        .await;
    let error = &answer.body["errors"][0];
    assert_eq!(
        (answer.status, &error["field"], &error["code"]),
        (422, &json!("password"), &json!("predictable"))
    );
}

#[actix_web::test]
async fn confusable_logins_are_taken() {
    let app = app();
    app.user("Alice").await;
    for login in ["alice", "ALICE", "Ａｌｉｃｅ"] {
        let answer = app
            .post("/register")
            .json(&json!({"login": login, "password": PASSWORD}))
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (409, "login_taken"),
            "{login}"
        );
    }
}

#[actix_web::test]
async fn logging_in_returns_an_uncacheable_token_pair() {
    let app = app();
    app.user("alice").await;
    let answer = app
        .post("/login")
        .json(&json!({"login": "ALICE", "password": PASSWORD}))
        .send()
        .await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        keys(&answer.body),
        [
            "access_token",
            "expires_in",
            "refresh_expires_in",
            "refresh_token",
            "token_type"
        ]
    );
    assert_eq!(answer.body["token_type"], "Bearer");
    assert_eq!(answer.body["expires_in"], 900);
    assert_eq!(answer.body["refresh_expires_in"], 30 * 24 * 3600);
    assert_eq!(answer.header("cache-control"), "no-store");
}

#[actix_web::test]
async fn unknown_login_wrong_password_and_disabled_user_are_indistinguishable() {
    let app = app();
    app.user("alice").await;
    app.user("mallory").await;
    app.set_status("mallory", UserStatus::Disabled).await;
    let mut seen = Vec::new();
    for (login, password) in [
        ("alice", "wrong"),
        ("missing", PASSWORD),
        ("mallory", PASSWORD),
        ("", ""),
        ("a\u{0}b", "\u{0}"),
    ] {
        let body = json!({"login": login, "password": password});
        let mut answer = app
            .post("/login")
            .header("X-Request-Id", "same")
            .json(&body)
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "invalid_credentials"),
            "{login:?}"
        );
        answer.headers.remove("date");
        let mut headers: Vec<String> = answer
            .headers
            .iter()
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        seen.push((headers, answer.body));
    }
    assert!(seen.iter().all(|answer| *answer == seen[0]), "{seen:#?}");
}

#[actix_web::test]
async fn too_many_attempts_carry_retry_after_and_the_budget_without_revealing_what_is_known() {
    for (path, kind, budget) in [
        ("/login", BudgetKind::Network(Width::Client), "network"),
        ("/login", BudgetKind::Failures(Width::Provider), "network"),
        ("/login", BudgetKind::LocalFailures, "network"),
        ("/login", BudgetKind::Account, "account"),
        ("/login", BudgetKind::KnownPlace, "account"),
        ("/login", BudgetKind::Service, "service"),
        ("/login", BudgetKind::Session, "session"),
        ("/register", BudgetKind::Network(Width::Site), "network"),
    ] {
        let body = json!({"login": "alice", "password": PASSWORD});
        let answer = throttled_app_by(kind).post(path).json(&body).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (429, "too_many_attempts")
        );
        assert_eq!(answer.header("retry-after"), "7");
        assert_eq!(answer.header("ratelimit"), format!(r#""{budget}";r=0;t=7"#));
        assert_eq!(answer.body["budget"], budget);
    }
}

#[actix_web::test]
async fn a_full_hash_queue_is_reported_as_overload() {
    let app = app();
    app.hasher.set_overloaded(true);
    for path in ["/login", "/register"] {
        let answer = app
            .post(path)
            .json(&json!({"login": "alice", "password": PASSWORD}))
            .send()
            .await;
        assert_eq!((answer.status, answer.code().as_str()), (503, "overloaded"));
    }
}

#[actix_web::test]
async fn me_has_exactly_the_documented_fields() {
    let app = app();
    let root = app.admin("Root").await;
    let answer = app.get("/me").bearer(&root.access).send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        keys(&answer.body),
        [
            "created_at",
            "id",
            "last_login_at",
            "login",
            "permissions",
            "roles",
            "session",
            "updated_at"
        ]
    );
    assert_eq!(keys(&answer.body["session"]), ["created_at", "expires_at", "id"]);
    assert_eq!(answer.body["login"], "Root");
    assert_eq!(answer.body["roles"], json!(["admin", "user"]));
    assert!(
        answer.body["permissions"]
            .as_array()
            .expect("the response contains permissions")
            .contains(&json!("roles:assign"))
    );
    assert_eq!(answer.body["last_login_at"], "2026-01-12T13:46:40.123456Z");
}

#[actix_web::test]
async fn a_refresh_token_is_accepted_in_header_or_body() {
    let app = app();
    let first = app.user("alice").await;
    let second = app.post("/refresh").bearer(&first.refresh).send().await.pair();
    let third = app
        .post("/refresh")
        .json(&json!({"refresh_token": second.refresh}))
        .send()
        .await
        .pair();
    assert_ne!(first.refresh, second.refresh);
    assert_ne!(second.refresh, third.refresh);
    assert_eq!(app.me_code(&third).await, "accepted");
}

#[actix_web::test]
async fn a_refresh_token_must_be_well_formed_and_sent_once() {
    let app = app();
    let pair = app.user("alice").await;
    let both = app
        .post("/refresh")
        .bearer(&pair.refresh)
        .json(&json!({"refresh_token": pair.refresh}))
        .send()
        .await;
    assert_eq!((both.status, both.code().as_str()), (400, "malformed_request"));
    let none = app.post("/refresh").send().await;
    assert_eq!((none.status, none.code().as_str()), (401, "token_missing"));
    let forged = format!("{}AAA", &pair.refresh[..pair.refresh.len() - 3]);
    for token in [pair.access.as_str(), "nonsense", &forged] {
        let answer = app.post("/refresh").bearer(token).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (401, "refresh_token_invalid"),
            "{token}"
        );
    }
    assert_eq!(app.refresh_code(&pair).await, "accepted");
}

#[actix_web::test]
async fn a_repeated_refresh_within_the_grace_window_returns_the_same_successor() {
    let app = app();
    let first = app.user("alice").await;
    let one = app.post("/refresh").bearer(&first.refresh).send().await.pair();
    app.clock.advance(Duration::milliseconds(9_999));
    let other = app.post("/refresh").bearer(&first.refresh).send().await.pair();
    assert_eq!(one.refresh, other.refresh);
    assert_eq!(app.me_code(&other).await, "accepted");

    app.clock.advance(Duration::milliseconds(1));
    assert_eq!(app.refresh_code(&first).await, "refresh_token_reused");
    assert_eq!(app.refresh_code(&other).await, "session_revoked");
    assert_eq!(app.me_code(&other).await, "token_revoked");
}

#[actix_web::test]
async fn using_the_successor_does_not_end_the_grace_window() {
    let app = app();
    let first = app.user("alice").await;
    let second = app.post("/refresh").bearer(&first.refresh).send().await.pair();
    app.clock.advance(Duration::milliseconds(9_999));
    let third = app.post("/refresh").bearer(&second.refresh).send().await.pair();
    for older in [&first, &second] {
        let again = app.post("/refresh").bearer(&older.refresh).send().await.pair();
        assert_eq!(again.refresh, third.refresh);
    }

    app.clock.advance(Duration::milliseconds(1));
    assert_eq!(app.refresh_code(&first).await, "refresh_token_reused");
    assert_eq!(app.refresh_code(&third).await, "session_revoked");
}

#[actix_web::test]
async fn sessions_expire_when_idle_and_at_their_maximum_lifetime() {
    let app = app();
    let mut pair = app.user("alice").await;
    for _ in 0..4 {
        app.clock.advance(Duration::days(20));
        pair = app.post("/refresh").bearer(&pair.refresh).send().await.pair();
    }
    app.clock.advance(Duration::days(10));
    assert_eq!(app.refresh_code(&pair).await, "session_expired");
    let idle = app.log_in("alice").await;
    app.clock.advance(Duration::days(30));
    assert_eq!(app.refresh_code(&idle).await, "session_expired");
}

#[actix_web::test]
async fn an_access_token_expires_to_the_second() {
    let app = app();
    let pair = app.user("alice").await;
    app.clock.advance(Duration::seconds(899));
    assert_eq!(app.me_code(&pair).await, "accepted");
    app.clock.advance(Duration::seconds(1));
    assert_eq!(app.me_code(&pair).await, "token_expired");
    // The client can refresh, or log out with the tokens it has.
    let logged_out = app.post("/logout").bearer(&pair.refresh).send().await;
    assert_eq!(logged_out.status, 204);
}

#[actix_web::test]
async fn a_rejected_access_token_has_a_code_for_its_cause() {
    let app = app();
    let pair = app.user("alice").await;
    let missing = app.get("/me").send().await;
    assert_eq!(
        (missing.code().as_str(), missing.header("www-authenticate")),
        ("token_missing", "Bearer")
    );
    let forged = format!("{}x", pair.access);
    for (token, code) in [
        ("nonsense", "token_malformed"),
        (forged.as_str(), "token_invalid"),
    ] {
        let answer = app.get("/me").bearer(token).send().await;
        assert_eq!(answer.code(), code);
        assert_eq!(
            answer.header("www-authenticate"),
            r#"Bearer error="invalid_token""#
        );
    }
    let in_the_url = app.get(&format!("/me?access_token={}", pair.access)).send().await;
    assert_eq!(in_the_url.body["errors"][0]["field"], "access_token");
}

#[actix_web::test]
async fn role_changes_follow_the_rules() {
    let app = app();
    let alice = app.user("alice").await;
    app.user("bob").await;
    let root = app.admin("root").await;
    let update = async |token: &str, body: Value| -> Answer {
        app.put("/roles/update").bearer(token).json(&body).send().await
    };
    for (token, body, status, code) in [
        (
            &alice,
            json!({"new_roles": ["admin"]}),
            403,
            "role_not_assignable",
        ),
        (
            &alice,
            json!({"new_roles": ["admin"], "login": "ALICE"}),
            403,
            "role_not_assignable",
        ),
        (&alice, json!({"new_roles": [], "login": "bob"}), 403, "forbidden"),
        (&alice, json!({"new_roles": ["unheard-of"]}), 422, "unknown_role"),
        (
            &root,
            json!({"new_roles": ["Not A Name"], "login": "bob"}),
            422,
            "unknown_role",
        ),
        (
            &root,
            json!({"new_roles": [], "login": "missing"}),
            404,
            "not_found",
        ),
        (&root, json!({"new_roles": ["user"]}), 409, "last_admin"),
    ] {
        let answer = update(&token.access, body.clone()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{body}");
    }
    assert_eq!(app.me_code(&alice).await, "accepted");

    let changed = update(
        &root.access,
        json!({"new_roles": ["admin", "user"], "login": "Bob"}),
    )
    .await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.body["login"], "bob");
    assert_eq!(changed.body["roles"], json!(["admin", "user"]));
    // With a second admin, the first can be removed.
    let gone = update(&root.access, json!({"new_roles": []})).await;
    assert_eq!((gone.status, &gone.body["roles"]), (200, &json!([])));
}

#[actix_web::test]
async fn after_a_change_only_the_new_password_is_accepted() {
    let app = app();
    let alice = app.user("alice").await;
    let change = async |body: Value| {
        app.put("/me/password")
            .bearer(&alice.access)
            .json(&body)
            .send()
            .await
    };

    let wrong = change(json!({"current_password": "wrong", "new_password": NEW_PASSWORD})).await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (401, "invalid_credentials")
    );
    let weak = change(json!({"current_password": PASSWORD, "new_password": "alice-alice-alice"})).await;
    assert_eq!(
        (weak.status, &weak.body["errors"][0]["field"]),
        (422, &json!("new_password"))
    );
    assert_eq!(app.me_code(&alice).await, "accepted");

    let changed = change(json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD})).await;
    assert_eq!(changed.status, 200);
    assert_eq!(app.me_code(&changed.pair()).await, "accepted");
    let log_in = async |password: &str| {
        app.post("/login")
            .json(&json!({"login": "alice", "password": password}))
            .send()
            .await
            .status
    };
    assert_eq!((log_in(PASSWORD).await, log_in(NEW_PASSWORD).await), (401, 200));
}

#[actix_web::test]
async fn own_sessions_are_listed_and_ended() {
    let app = app();
    let first = app.user("alice").await;
    app.clock.advance(Duration::seconds(1));
    let body = json!({"login": "alice", "password": PASSWORD});
    let second = app
        .post("/login")
        .header("User-Agent", "Fox\"1é")
        .json(&body)
        .send()
        .await
        .pair();

    let listed = app.get("/me/sessions").bearer(&first.access).send().await;
    let sessions = listed.body["sessions"]
        .as_array()
        .expect("the response contains sessions");
    assert_eq!(sessions.len(), 2);
    assert_eq!(
        keys(&sessions[0]),
        [
            "created_at",
            "current",
            "expires_at",
            "id",
            "ip",
            "last_used_at",
            "user_agent"
        ]
    );
    assert_eq!(
        (&sessions[0]["current"], &sessions[1]["current"]),
        (&json!(false), &json!(true))
    );
    assert_eq!(sessions[0]["ip"], "192.0.2.7");

    let path = format!(
        "/me/sessions/{}",
        sessions[0]["id"].as_str().expect("the response contains an id")
    );
    let stranger = app.user("mallory").await;
    assert_eq!(
        app.delete(&path).bearer(&stranger.access).send().await.code(),
        "not_found"
    );
    assert_eq!(app.me_code(&second).await, "accepted");
    assert_eq!(app.delete(&path).bearer(&first.access).send().await.status, 204);
    assert_eq!(app.me_code(&second).await, "token_revoked");
    assert_eq!(
        app.delete(&path).bearer(&first.access).send().await.code(),
        "not_found"
    );
    assert_eq!(
        app.delete("/me/sessions/nonsense")
            .bearer(&first.access)
            .send()
            .await
            .code(),
        "not_found"
    );
}

#[actix_web::test]
async fn health_reports_each_dependency() {
    let app = app();
    assert_eq!(
        app.get("/health/ready").send().await.body["dependencies"]["database"],
        "up"
    );
    app.storage.disconnect();
    let ready = app.get("/health/ready").send().await;
    assert_eq!(
        (ready.status, &ready.body["dependencies"]["database"]),
        (503, &json!("down"))
    );
    assert_eq!(ready.header("retry-after"), "1");
    assert_eq!(app.get("/health/live").send().await.status, 200);
    assert_eq!(app.get("/.well-known/jwks.json").send().await.status, 200);
    app.storage.reconnect();
    assert_eq!(app.get("/health/ready").send().await.status, 200);
}

#[actix_web::test]
async fn without_redis_the_service_is_degraded_but_ready() {
    let mut app = app();
    let redis = MemoryStorage::default();
    app.edge.use_cases.redis_health = Some(redis.storage().health);
    let ready = app.get("/health/ready").send().await;
    assert_eq!(
        (&ready.body["status"], &ready.body["dependencies"]["redis"]),
        (&json!("ready"), &json!("up"))
    );
    redis.disconnect();
    let degraded = app.get("/health/ready").send().await;
    assert_eq!(
        (degraded.status, &degraded.body["status"]),
        (200, &json!("degraded"))
    );
    assert_eq!(
        degraded.body["dependencies"],
        json!({"database": "up", "redis": "down"})
    );
    app.storage.disconnect();
    assert_eq!(app.get("/health/ready").send().await.status, 503);
}

#[actix_web::test]
async fn without_the_bus_the_service_is_degraded_but_ready() {
    let mut app = app();
    let bus = MemoryStorage::default();
    app.edge.use_cases.bus_health = Some(bus.storage().health);
    app.edge.use_cases.session_bus = Some(SessionBus::Postgres);
    let ready = app.get("/health/ready").send().await;
    assert_eq!(ready.body["status"], "ready");
    assert_eq!(ready.body["session_cache"]["bus"], "postgres");
    bus.disconnect();
    let degraded = app.get("/health/ready").send().await;
    assert_eq!(
        (degraded.status, &degraded.body["status"]),
        (200, &json!("degraded"))
    );
    assert_eq!(
        degraded.body["dependencies"],
        json!({"database": "up", "bus": "down"})
    );
}

struct Comparison(Option<bool>);

impl ClockComparison for Comparison {
    fn agrees(&self) -> Option<bool> {
        self.0
    }
}

#[actix_web::test]
async fn with_a_wrong_clock_the_service_is_degraded_but_ready() {
    for (agrees, status, clock) in [
        (None, "ready", None),
        (Some(true), "ready", Some("right")),
        (Some(false), "degraded", Some("skewed")),
    ] {
        let mut app = app();
        app.edge.use_cases.clock_comparison = Some(Arc::new(Comparison(agrees)));
        let ready = app.get("/health/ready").send().await;
        assert_eq!((ready.status, &ready.body["status"]), (200, &json!(status)));
        assert_eq!(ready.body.get("clock"), clock.map(|text| json!(text)).as_ref());
        app.storage.disconnect();
        let down = app.get("/health/ready").send().await;
        assert_eq!((down.status, &down.body["status"]), (503, &json!("unavailable")));
    }
}

struct Lease(bool);

impl SessionMemory for Lease {
    fn holds_lease(&self) -> bool {
        self.0
    }
}

#[actix_web::test]
async fn readiness_reports_the_session_cache() {
    for (memory, told) in [
        (None, json!({"mode": "database", "lease": "none"})),
        (Some(Lease(false)), json!({"mode": "memory", "lease": "none"})),
        (Some(Lease(true)), json!({"mode": "memory", "lease": "held"})),
    ] {
        let mut app = app();
        app.edge.use_cases.session_memory = memory.map(|lease| Arc::new(lease) as _);
        let ready = app.get("/health/ready").send().await;
        assert_eq!((ready.status, &ready.body["session_cache"]), (200, &told));
    }
}

#[actix_web::test]
async fn unavailable_storage_is_never_a_401() {
    let app = app();
    let pair = app.user("alice").await;
    app.storage.disconnect();
    for answer in [
        app.get("/me").bearer(&pair.access).send().await,
        app.post("/refresh").bearer(&pair.refresh).send().await,
        app.post("/logout").bearer(&pair.access).send().await,
        app.post("/login")
            .json(&json!({"login": "alice", "password": PASSWORD}))
            .send()
            .await,
    ] {
        assert_eq!((answer.status, answer.code().as_str()), (503, "unavailable"));
        assert_eq!(answer.header("retry-after"), "1");
    }
    app.storage.reconnect();
    assert_eq!(app.me_code(&pair).await, "accepted");
}
