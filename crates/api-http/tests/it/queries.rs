//! Query parameters.

use crate::{
    app::{Answer, TestApp, app, without_docs},
    authorisation::{Cast, Row, rows},
};
use actix_web::http::Method;
use api_http::openapi;
use serde_json::{Value, json};
use uuid::Uuid;

/// Whether the document lists a query parameter `name` for the route of `row`.
fn is_documented(document: &Value, row: &Row, name: &str) -> bool {
    let parameters = &document["paths"][row.path][row.method.to_lowercase()]["parameters"];
    let mut parameters = parameters.as_array().into_iter().flatten();
    parameters.any(|parameter| parameter["in"] == "query" && parameter["name"] == name)
}

/// Calls the route of `row` as the admin `root`, about the user `bob` and the role `unused`.
async fn call(app: &TestApp, row: &Row, token: &str, bob: &str, query: &str) -> Answer {
    let path = row.path.replace("{id}", bob).replace("{name}", "unused");
    let method = Method::try_from(row.method).expect("a method");
    let mut request = app.request(method, &format!("{path}?{query}")).bearer(token);
    let cast = Cast {
        caller: "root",
        password: crate::app::PASSWORD,
        other: "bob",
        newcomer: "newcomer",
    };
    if let Some(body) = row.body("admin", &cast) {
        request = request.json(&body);
    }
    request.send().await
}

/// The table of routes lists every route of the document, which a test of its own asserts.
#[actix_web::test]
async fn every_route_rejects_the_parameters_that_it_does_not_document_and_changes_nothing() {
    let app = without_docs(app());
    let root = app.admin("root").await.access;
    app.role("unused", &[]).await;
    let bob = app.user("bob").await;
    let bob_id = app.id(&bob).await;
    let everything = async || {
        let users = app.get("/users").bearer(&root).send().await.body;
        let roles = app.get("/roles").bearer(&root).send().await.body;
        let sessions = app.get(&format!("/users/{bob_id}/sessions"));
        (users, roles, sessions.bearer(&root).send().await.body)
    };
    let before = everything().await;
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    for row in rows() {
        for name in ["surprise", "dry_run", "everywhere", "limit", "Dry_Run"] {
            if is_documented(&document, &row, name) {
                continue;
            }
            let answer = call(&app, &row, &root, &bob_id, &format!("{name}=true")).await;
            let errors =
                json!([{"field": name, "code": "unknown_field", "detail": "unknown query parameter"}]);
            assert_eq!(
                (answer.status, answer.code().as_str(), &answer.body["errors"]),
                (422, "validation_failed", &errors),
                "{} {}",
                row.method,
                row.path
            );
        }
    }
    assert_eq!(everything().await, before);
    assert_eq!(app.me_code(&bob).await, "accepted");
}

#[actix_web::test]
async fn a_misspelt_dry_run_deletes_nothing() {
    let app = app();
    let root = app.admin("root").await.access;
    let bob = app.user("bob").await;
    let path = format!("/users/{}", app.id(&bob).await);
    for query in ["dry_run=true", "dry_rum=true"] {
        let answer = app.delete(&format!("{path}?{query}")).bearer(&root).send().await;
        assert_eq!(answer.status, 422, "{query}");
    }
    app.role("unused", &[]).await;
    for query in [
        "dry_rum=true",
        "dry_run=",
        "dry_run",
        "dry_run=1",
        "dry_run=true&dry_run=false",
    ] {
        let answer = app
            .delete(&format!("/roles/unused?{query}"))
            .bearer(&root)
            .send()
            .await;
        assert_eq!(answer.status, 422, "{query}");
    }
    assert_eq!(app.get(&path).bearer(&root).send().await.status, 200);
    assert_eq!(app.get("/roles/unused").bearer(&root).send().await.status, 200);
}

#[actix_web::test]
async fn a_wrong_value_is_rejected_by_the_name_of_its_parameter() {
    let app = app();
    let root = app.admin("root").await.access;
    for (path, field, code) in [
        ("/users?limit=many", "limit", "wrong_type"),
        ("/users?limit=", "limit", "wrong_type"),
        ("/users?limit=0", "limit", "out_of_range"),
        ("/users?status=gone", "status", "wrong_type"),
        ("/users?role=A", "role", "invalid_name"),
        ("/users?cursor=", "cursor", "invalid_cursor"),
        ("/users?q=a&q=b", "q", "duplicate_field"),
        ("/audit?user=7", "user", "wrong_type"),
        ("/audit?from=yesterday", "from", "wrong_type"),
        ("/audit?action=x", "action", "unknown_action"),
    ] {
        let answer = app.get(path).bearer(&root).send().await;
        let error = &answer.body["errors"][0];
        assert_eq!(
            (answer.status, &error["field"], &error["code"]),
            (422, &field.into(), &code.into()),
            "{path}"
        );
    }
    for query in ["everywhere=1", "everywhere=", "everywhere=true&everywhere=false"] {
        let answer = app.post(&format!("/logout?{query}")).bearer(&root).send().await;
        let answered = (answer.status, &answer.body["errors"][0]["field"]);
        assert_eq!(answered, (422, &"everywhere".into()), "{query}");
    }
    assert_eq!(app.get("/me").bearer(&root).send().await.status, 200);
}

#[actix_web::test]
async fn an_empty_filter_counts_as_absent() {
    let app = app();
    let root = app.admin("root").await.access;
    app.user("bob").await;
    for (path, filters) in [
        ("/users", "q=&role=&status="),
        ("/audit", "user=&actor=&action=&from=&until="),
    ] {
        let all = app.get(path).bearer(&root).send().await;
        let filtered = app.get(&format!("{path}?{filters}")).bearer(&root).send().await;
        assert_eq!((filtered.status, &filtered.body), (200, &all.body), "{path}");
    }
    let missing = format!("/audit?user={}", Uuid::nil());
    let none = app.get(&missing).bearer(&root).send().await;
    assert_eq!(none.body["events"], json!([]));
}

#[actix_web::test]
async fn the_documentation_ignores_parameters() {
    let app = app();
    for path in ["/openapi.json?v=1", "/docs?v=1", "/docs/swagger-ui.css?v=1"] {
        assert!(app.get(path).send().await.status < 400, "{path}");
    }
}
