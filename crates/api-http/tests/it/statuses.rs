//! Checks that exactly the statuses in the OpenAPI document are returned.

use crate::{
    app::{Answer, NEW_PASSWORD, PASSWORD, Pair, Request, TestApp, app, throttled_app, without_docs},
    audit_log::remove_oldest,
    document::response,
};
use actix_web::http::Method;
use api_http::openapi;
use domain::core::Core;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

type Statuses = BTreeSet<(String, String, u16)>;

fn documented() -> Statuses {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut statuses = Statuses::new();
    for (path, operations) in document["paths"]
        .as_object()
        .expect("the document contains paths")
    {
        for (method, operation) in operations.as_object().expect("the path has operations") {
            for status in operation["responses"]
                .as_object()
                .expect("the operation has responses")
                .keys()
                .filter(|status| *status != "default")
            {
                let status = status.parse().expect("the status is a number");
                statuses.insert((method.to_uppercase(), path.clone(), status));
            }
        }
    }
    statuses
}

/// A valid call of a route.
struct Call {
    method: Method,
    path: &'static str,
    body: Option<Value>,
    needs_token: bool,
}

fn call(method: Method, path: &'static str, body: Option<Value>, needs_token: bool) -> Call {
    Call {
        method,
        path,
        body,
        needs_token,
    }
}

fn calls() -> Vec<Call> {
    vec![
        call(
            Method::POST,
            "/register",
            Some(json!({"login": "carol", "password": PASSWORD})),
            false,
        ),
        call(
            Method::POST,
            "/login",
            Some(json!({"login": "alice", "password": PASSWORD})),
            false,
        ),
        call(
            Method::POST,
            "/refresh",
            Some(json!({"refresh_token": "filled in"})),
            false,
        ),
        call(Method::GET, "/me", None, true),
        call(Method::GET, "/me/sessions", None, true),
        call(
            Method::PUT,
            "/roles/update",
            Some(json!({"new_roles": ["user"]})),
            true,
        ),
        call(
            Method::PUT,
            "/me/password",
            Some(json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD})),
            true,
        ),
        call(
            Method::POST,
            "/me/reauthenticate",
            Some(json!({"password": PASSWORD})),
            true,
        ),
        call(Method::DELETE, "/me/sessions/{id}", None, true),
        call(Method::POST, "/logout", None, true),
        call(Method::DELETE, "/me", Some(json!({"password": PASSWORD})), true),
        call(Method::GET, "/me/export", None, true),
        call(Method::GET, "/users", None, true),
        call(Method::GET, "/users/{id}", None, true),
        call(
            Method::PATCH,
            "/users/{id}",
            Some(json!({"status": "disabled"})),
            true,
        ),
        call(Method::DELETE, "/users/{id}", None, true),
        call(
            Method::PUT,
            "/users/{id}/roles",
            Some(json!({"new_roles": ["user"]})),
            true,
        ),
        call(
            Method::PUT,
            "/users/{id}/password",
            Some(json!({"new_password": NEW_PASSWORD})),
            true,
        ),
        call(Method::PUT, "/users/{id}/password", None, true),
        call(Method::GET, "/users/{id}/sessions", None, true),
        call(Method::DELETE, "/users/{id}/sessions", None, true),
        call(Method::GET, "/roles", None, true),
        call(Method::GET, "/roles/{name}", None, true),
        call(
            Method::PUT,
            "/roles/{name}",
            Some(json!({"permissions": []})),
            true,
        ),
        call(Method::DELETE, "/roles/{name}", None, true),
        call(Method::GET, "/audit", None, true),
        call(Method::GET, "/audit/checkpoint", None, false),
        call(Method::GET, "/audit/public-key", None, false),
        call(Method::GET, "/health/live", None, false),
        call(Method::GET, "/health/ready", None, false),
        call(Method::GET, "/.well-known/jwks.json", None, false),
        call(
            Method::GET,
            "/.well-known/oauth-authorization-server",
            None,
            false,
        ),
    ]
}

/// A situation in which a call fails.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Situation {
    AllIsWell,
    NoToken,
    StorageAway,
    NotJson,
    TooLarge,
    WrongMediaType,
    WrongShape,
    Throttled,
    PasswordReset,
    MissingTarget,
    AnotherRevision,
    UnreadableCondition,
    NotModified,
    TwoHosts,
    UnknownParameter,
}

impl Call {
    /// Whether the call is an administrative one, about another user or a role.
    fn is_administration(&self) -> bool {
        self.path.starts_with("/users") || matches!(self.path, "/roles/{name}" | "/audit")
    }

    fn takes_a_condition(&self) -> bool {
        let is_administration = self.is_administration() && !self.path.ends_with("/sessions");
        self.method != Method::GET && (is_administration || self.path == "/roles/update")
    }

    /// Whether the response carries an `ETag`.
    fn is_tagged(&self) -> bool {
        let tagged = [
            "/users/{id}",
            "/roles/{name}",
            "/audit/checkpoint",
            "/audit/public-key",
            "/.well-known/jwks.json",
        ];
        self.method == Method::GET && tagged.contains(&self.path)
    }

    fn situations(&self) -> Vec<Situation> {
        let mut situations = vec![
            Situation::AllIsWell,
            Situation::StorageAway,
            Situation::TwoHosts,
            Situation::UnknownParameter,
        ];
        if self.needs_token {
            situations.extend([Situation::NoToken, Situation::PasswordReset]);
        }
        if self.body.is_some() {
            situations.extend([
                Situation::NotJson,
                Situation::TooLarge,
                Situation::WrongMediaType,
                Situation::WrongShape,
            ]);
        }
        if matches!(self.path, "/register" | "/login") {
            situations.push(Situation::Throttled);
        }
        if self.path.contains('{') {
            situations.push(Situation::MissingTarget);
        }
        if self.is_tagged() {
            situations.push(Situation::NotModified);
        }
        if self.takes_a_condition() {
            situations.extend([Situation::AnotherRevision, Situation::UnreadableCondition]);
        }
        situations
    }

    /// Makes the call in `situation`, with a new app and user.
    async fn make(&self, situation: Situation) -> Answer {
        // The throttle rejects every attempt, so log-in is not possible there.
        if situation == Situation::Throttled {
            let app = throttled_app();
            return self.send(&app, self.path, None, situation).await;
        }
        let app = without_docs(app());
        let pair = self.caller(&app, situation).await;
        app.sign_checkpoint().await;
        let path = self.target(&app, &pair, situation).await;
        if situation == Situation::StorageAway {
            app.storage.disconnect();
        }
        self.send(&app, &path, Some(&pair), situation).await
    }

    async fn caller(&self, app: &TestApp, situation: Situation) -> Pair {
        let pair = if self.is_administration() {
            app.admin("alice").await
        } else {
            app.user("alice").await
        };
        if situation == Situation::PasswordReset {
            app.reset_password("alice").await;
            return app.log_in_with("alice", NEW_PASSWORD).await;
        }
        pair
    }

    /// The path with an existing user, role or session.
    async fn target(&self, app: &TestApp, pair: &Pair, situation: Situation) -> String {
        if situation == Situation::MissingTarget {
            let missing = Uuid::nil().to_string();
            return self.path.replace("{id}", &missing).replace("{name}", "missing");
        }
        app.role("editor", &[]).await;
        let id = if self.is_administration() {
            let bob = app.user("bob").await;
            app.id(&bob).await
        } else {
            let me = app.get("/me").bearer(&pair.access).send().await;
            // Sessions are not listed before the password is changed.
            let id = me.body["session"]["id"].as_str();
            id.map_or_else(|| Uuid::nil().to_string(), ToOwned::to_owned)
        };
        self.path.replace("{id}", &id).replace("{name}", "editor")
    }

    async fn send(&self, app: &TestApp, path: &str, pair: Option<&Pair>, situation: Situation) -> Answer {
        let path = if situation == Situation::UnknownParameter {
            format!("{path}?surprise=1")
        } else {
            path.to_owned()
        };
        let mut request = app.request(self.method.clone(), &path);
        if let Some(pair) = pair
            && self.needs_token
            && situation != Situation::NoToken
        {
            request = request.bearer(&pair.access);
        }
        let mut body = self.body.clone();
        if let (Some(refresh), Some(pair)) =
            (body.as_mut().and_then(|body| body.get_mut("refresh_token")), pair)
        {
            *refresh = pair.refresh.clone().into();
        }
        match situation {
            Situation::AnotherRevision => request = request.header("If-Match", "\"999\""),
            Situation::UnreadableCondition => request = request.header("If-Match", "999"),
            Situation::NotModified => request = request.header("If-None-Match", "*"),
            Situation::TwoHosts => request = request.header("Host", "other.example"),
            _ => {}
        }
        match (situation, body) {
            (Situation::NotJson, _) => request.header("Content-Type", "application/json").bytes("{oops"),
            (Situation::TooLarge, _) => request
                .header("Content-Type", "application/json")
                .bytes(vec![b' '; 20_000]),
            (Situation::WrongMediaType, Some(body)) => request
                .header("Content-Type", "text/plain")
                .bytes(body.to_string()),
            (Situation::WrongShape, _) => request.json(&json!({"surprise": 1})),
            (_, Some(body)) => request.json(&body),
            (_, None) => request,
        }
        .send()
        .await
    }
}

#[actix_web::test]
async fn exactly_the_documented_statuses_are_returned() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut answered = Statuses::new();
    let mut note = |method: &Method, path: &str, answer: &Answer| {
        assert_headers_are_documented(&document, method, path, answer);
        answered.insert((method.to_string(), path.to_owned(), answer.status));
    };
    for call in calls() {
        for situation in call.situations() {
            let answer = call.make(situation).await;
            note(&call.method, call.path, &answer);
        }
    }
    for (method, path, answer) in particular_refusals()
        .await
        .into_iter()
        .chain(particular_administration().await)
        .chain(particular_positions().await)
    {
        note(&method, path, &answer);
    }

    let documented = documented();
    let missing: Vec<_> = documented.difference(&answered).collect();
    let surprising: Vec<_> = answered.difference(&documented).collect();
    assert!(
        missing.is_empty() && surprising.is_empty(),
        "missing: {missing:#?} surprising: {surprising:#?}"
    );
}

/// Checks that the document lists each header of `answer` that clients use.
fn assert_headers_are_documented(document: &Value, method: &Method, path: &str, answer: &Answer) {
    let operation = &document["paths"][path][method.as_str().to_lowercase()];
    let documented = &response(document, operation, &answer.status.to_string())["headers"];
    let mut names = vec![
        "Device-Token",
        "ETag",
        "Location",
        "RateLimit",
        "Retry-After",
        "WWW-Authenticate",
        "X-Request-Id",
    ];
    if answer.status < 400 {
        names.push("Cache-Control");
    }
    for name in names {
        assert!(
            answer.header(name).is_empty() || documented[name].is_object(),
            "{method} {path}: {} has an undocumented {name}",
            answer.status
        );
    }
}

/// Refusals specific to one route.
async fn particular_refusals() -> Vec<(Method, &'static str, Answer)> {
    let app = app();
    let alice = app.user("alice").await;
    let root = app.admin("root").await;
    let new_password = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let password = json!({"password": PASSWORD});
    let no_roles = json!({"new_roles": []});
    let update = |body: Value, token: &str| app.put("/roles/update").bearer(token).json(&body).send();
    vec![
        (
            Method::POST,
            "/register",
            app.post("/register")
                .json(&json!({"login": "ALICE", "password": PASSWORD}))
                .send()
                .await,
        ),
        (
            Method::POST,
            "/login",
            app.post("/login")
                .json(&json!({"login": "alice", "password": "not it"}))
                .send()
                .await,
        ),
        (
            Method::POST,
            "/login",
            foreign(
                app.post("/login?refresh_cookie=true"),
                &json!({"login": "alice", "password": PASSWORD}),
            )
            .await,
        ),
        (
            Method::PUT,
            "/me/password",
            foreign(
                app.put("/me/password?refresh_cookie=true").bearer(&alice.access),
                &new_password,
            )
            .await,
        ),
        (Method::POST, "/refresh", app.post("/refresh").send().await),
        (Method::POST, "/refresh", with_cookie(&app, "/refresh").await),
        (Method::POST, "/logout", with_cookie(&app, "/logout").await),
        (
            Method::PUT,
            "/roles/update",
            update(json!({"new_roles": ["admin"]}), &alice.access).await,
        ),
        (
            Method::PUT,
            "/roles/update",
            update(json!({"new_roles": [], "login": "missing"}), &root.access).await,
        ),
        (
            Method::PUT,
            "/roles/update",
            update(json!({"new_roles": []}), &root.access).await,
        ),
        (
            Method::DELETE,
            "/me/sessions/{id}",
            app.delete(&format!("/me/sessions/{}", Uuid::nil()))
                .bearer(&alice.access)
                .send()
                .await,
        ),
        (
            Method::PUT,
            "/roles/update",
            throttled(Method::PUT, "/roles/update", &no_roles).await,
        ),
        (
            Method::PUT,
            "/users/{id}/roles",
            throttled(Method::PUT, "/users/{id}/roles", &no_roles).await,
        ),
        (
            Method::PUT,
            "/me/password",
            throttled(Method::PUT, "/me/password", &new_password).await,
        ),
        (
            Method::DELETE,
            "/me",
            throttled(Method::DELETE, "/me", &password).await,
        ),
        (
            Method::POST,
            "/me/reauthenticate",
            throttled(Method::POST, "/me/reauthenticate", &password).await,
        ),
    ]
}

/// Refusals of positions in the audit log.
async fn particular_positions() -> Vec<(Method, &'static str, Answer)> {
    let app = app();
    let root = app.admin("root").await.access;
    app.user("alice").await;
    remove_oldest(&app, 3).await;
    let gone = app.get("/audit?after=1").bearer(&root).send().await;
    let beyond = app.get("/audit?after=900").bearer(&root).send().await;
    vec![(Method::GET, "/audit", gone), (Method::GET, "/audit", beyond)]
}

/// A call that asks for a cookie, from a page that may not use it.
async fn foreign(request: Request<'_>, body: &Value) -> Answer {
    let request = request.header("Origin", "https://evil.example");
    request.json(body).send().await
}

/// A call with a cookie, without a proof of its origin.
async fn with_cookie(app: &TestApp, path: &str) -> Answer {
    let request = app.post(path).header("Cookie", "__Secure-authapi-refresh=x");
    request.send().await
}

/// Refusals and responses specific to administration.
async fn particular_administration() -> Vec<(Method, &'static str, Answer)> {
    let mut app = app();
    let root = app.admin("root").await;
    let path = format!("/users/{}", app.id(&root).await);
    app.role("editor", &[]).await;
    let send = async |method: Method, path: &str, body: Value| {
        let request = app.request(method, path).bearer(&root.access);
        request.json(&body).send().await
    };
    let mut answers = Vec::new();
    for (method, path, route, body) in [
        (
            Method::PATCH,
            path.clone(),
            "/users/{id}",
            json!({"status": "disabled"}),
        ),
        (Method::DELETE, path.clone(), "/users/{id}", json!({})),
        (
            Method::PUT,
            format!("{path}/roles"),
            "/users/{id}/roles",
            json!({"new_roles": []}),
        ),
        (
            Method::DELETE,
            "/me".to_owned(),
            "/me",
            json!({"password": PASSWORD}),
        ),
        (
            Method::PUT,
            "/roles/admin".to_owned(),
            "/roles/{name}",
            json!({"permissions": []}),
        ),
        (
            Method::DELETE,
            "/roles/admin".to_owned(),
            "/roles/{name}",
            json!({}),
        ),
        (
            Method::DELETE,
            "/roles/editor?dry_run=true".to_owned(),
            "/roles/{name}",
            json!({}),
        ),
    ] {
        answers.push((method.clone(), route, send(method, &path, body).await));
    }
    let path = "/.well-known/oauth-authorization-server";
    app.edge.settings.issuer = None;
    answers.push((Method::GET, path, app.get(path).send().await));
    let path = "/audit/checkpoint";
    answers.push((Method::GET, path, app.get(path).send().await));
    answers
}

/// A call in a session opened before the throttle was exhausted.
async fn throttled(method: Method, path: &str, body: &Value) -> Answer {
    let open = app();
    let alice = open.user("alice").await;
    let path = &path.replace("{id}", &open.id(&alice).await);
    let closed = throttled_app();
    let edge = api_http::Edge {
        use_cases: api_http::UseCases {
            core: Core {
                authenticate: open.edge.use_cases.core.authenticate.clone(),
                ..closed.edge.use_cases.core.clone()
            },
            ..closed.edge.use_cases.clone()
        },
        ..closed.edge.clone()
    };
    let app = TestApp { edge, ..closed };
    app.request(method, path)
        .bearer(&alice.access)
        .json(body)
        .send()
        .await
}
