//! Every status that the OpenAPI document names is answered in some situation, and no other ever is.

use crate::app::{Answer, NEW_PASSWORD, PASSWORD, TestApp, app, throttled_app};
use actix_web::http::Method;
use api_http::openapi;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;

type Statuses = BTreeSet<(String, String, u16)>;

fn documented() -> Statuses {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let mut statuses = Statuses::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            for status in operation["responses"].as_object().expect("responses").keys() {
                let status = status.parse().expect("a status");
                statuses.insert((method.to_uppercase(), path.clone(), status));
            }
        }
    }
    statuses
}

/// A route as it is called when all is well.
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
        call(Method::DELETE, "/me/sessions/{id}", None, true),
        call(Method::POST, "/logout", None, true),
        call(Method::GET, "/health/live", None, false),
        call(Method::GET, "/health/ready", None, false),
        call(Method::GET, "/.well-known/jwks.json", None, false),
    ]
}

/// How a call goes wrong.
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
}

impl Call {
    /// Makes the call, on an app and a user of its own, in `situation`.
    async fn make(&self, situation: Situation) -> Answer {
        // The throttle bites from the first attempt on, so the user of a throttled app comes from another way in.
        let app = if situation == Situation::Throttled {
            throttled_app()
        } else {
            app()
        };
        let pair = if situation == Situation::Throttled {
            None
        } else {
            Some(app.user("alice").await)
        };
        let session = match &pair {
            Some(pair) => app.get("/me").bearer(&pair.access).send().await.body["session"]["id"].clone(),
            None => Value::Null,
        };
        if situation == Situation::StorageAway {
            app.storage.go_away();
        }
        let path = self.path.replace("{id}", session.as_str().unwrap_or_default());
        let mut request = app.request(self.method.clone(), &path);
        if let Some(pair) = &pair
            && self.needs_token
            && situation != Situation::NoToken
        {
            request = request.bearer(&pair.access);
        }
        let mut body = self.body.clone();
        if let (Some(refresh), Some(pair)) = (
            body.as_mut().and_then(|body| body.get_mut("refresh_token")),
            &pair,
        ) {
            *refresh = pair.refresh.clone().into();
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
async fn every_documented_status_is_answered_and_no_other() {
    let mut answered = Statuses::new();
    let mut note = |method: &Method, path: &str, answer: &Answer| {
        answered.insert((method.to_string(), path.to_owned(), answer.status));
    };
    for call in calls() {
        let mut situations = vec![Situation::AllIsWell, Situation::StorageAway];
        if call.needs_token {
            situations.push(Situation::NoToken);
        }
        if call.body.is_some() {
            situations.extend([
                Situation::NotJson,
                Situation::TooLarge,
                Situation::WrongMediaType,
                Situation::WrongShape,
            ]);
        }
        if matches!(call.path, "/register" | "/login") {
            situations.push(Situation::Throttled);
        }
        for situation in situations {
            let answer = call.make(situation).await;
            note(&call.method, call.path, &answer);
        }
    }
    for (method, path, answer) in particular_refusals().await {
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

/// What only one route refuses.
async fn particular_refusals() -> Vec<(Method, &'static str, Answer)> {
    let app = app();
    let alice = app.user("alice").await;
    let root = app.admin("root").await;
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
        (Method::POST, "/refresh", app.post("/refresh").send().await),
        (
            Method::POST,
            "/logout",
            app.post("/logout?everywhere=perhaps")
                .bearer(&alice.access)
                .send()
                .await,
        ),
        (
            Method::PUT,
            "/roles/update",
            update(json!({"new_roles": ["admin"]}), &alice.access).await,
        ),
        (
            Method::PUT,
            "/roles/update",
            update(json!({"new_roles": [], "login": "nobody"}), &root.access).await,
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
        (Method::PUT, "/me/password", throttled_change_of_password().await),
    ]
}

/// A session that was opened before the throttle closed.
async fn throttled_change_of_password() -> Answer {
    let open = app();
    let alice = open.user("alice").await;
    let closed = throttled_app();
    let edge = api_http::Edge {
        use_cases: api_http::UseCases {
            authenticate: open.edge.use_cases.authenticate.clone(),
            ..closed.edge.use_cases.clone()
        },
        ..closed.edge.clone()
    };
    TestApp { edge, ..closed }
        .put("/me/password")
        .bearer(&alice.access)
        .json(&json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD}))
        .send()
        .await
}
