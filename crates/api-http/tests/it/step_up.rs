//! Step-up authentication (RFC 9470): changes for which the password must have been checked
//! recently.

use crate::{
    app::{Answer, PASSWORD, Pair, TestApp, app, without_docs},
    authorisation::rows,
    document::response,
};
use actix_web::http::Method;
use api_http::openapi;
use chrono::Duration;
use serde_json::json;

const CODE: &str = "insufficient_user_authentication";

/// Lets as much time pass as a check of the password suffices for, and `more` seconds, and
/// refreshes `pair`, which carries the time of the check on.
pub async fn refreshed_later(app: &TestApp, pair: &Pair, more: i64) -> Pair {
    app.clock.advance(Duration::minutes(15) + Duration::seconds(more));
    let refreshed = app.post("/refresh").bearer(&pair.refresh).send().await;
    assert_eq!(refreshed.status, 200, "{}", refreshed.body);
    refreshed.pair()
}

async fn reauthenticate(app: &TestApp, access: &str, password: &str) -> Answer {
    app.post("/me/reauthenticate")
        .bearer(access)
        .json(&json!({"password": password}))
        .send()
        .await
}

/// Changes a role of the catalogue, which only an admin may do.
async fn write_role(app: &TestApp, access: &str) -> Answer {
    app.put("/roles/editor")
        .bearer(access)
        .json(&json!({"permissions": []}))
        .send()
        .await
}

fn access_token(answer: &Answer) -> String {
    let token = answer.body["access_token"].as_str();
    token.expect("the response contains a token").to_owned()
}

#[actix_web::test]
async fn a_challenge_states_the_maximum_age_and_a_check_of_the_password_satisfies_it() {
    let app = without_docs(app());
    let root = app.admin("root").await;
    assert_eq!(write_role(&app, &root.access).await.status, 201);
    let old = refreshed_later(&app, &root, 0).await;
    assert_eq!(
        write_role(&app, &old.access).await.status,
        200,
        "exactly as old as allowed"
    );
    app.clock.advance(Duration::seconds(1));

    let refused = write_role(&app, &old.access).await;
    assert_eq!((refused.status, refused.code().as_str()), (401, CODE));
    assert_eq!(
        refused.header("www-authenticate"),
        "Bearer error=\"insufficient_user_authentication\", error_description=\"The password must have been \
         checked within the last 900 seconds\", max_age=\"900\""
    );
    assert_eq!(app.me_code(&old).await, "accepted", "the token stays valid");

    let checked = reauthenticate(&app, &old.access, PASSWORD).await;
    assert_eq!(checked.status, 200, "{}", checked.body);
    assert_eq!(checked.header("cache-control"), "no-store");
    let mut names: Vec<_> = checked.body.as_object().expect("an object").keys().collect();
    names.sort();
    assert_eq!(names, ["access_token", "expires_in", "token_type"]);
    assert_eq!(
        (&checked.body["token_type"], &checked.body["expires_in"]),
        (&json!("Bearer"), &json!(900))
    );
    assert_eq!(write_role(&app, &access_token(&checked)).await.status, 200);
}

#[actix_web::test]
async fn tokens_issued_before_the_check_stay_valid_but_do_not_become_sufficient() {
    let app = without_docs(app());
    let root = app.admin("root").await;
    let old = refreshed_later(&app, &root, 1).await;
    let checked = reauthenticate(&app, &old.access, PASSWORD).await;
    assert_eq!(checked.status, 200, "{}", checked.body);
    for _ in 0..2 {
        assert_eq!(write_role(&app, &old.access).await.code(), CODE);
        assert_eq!(app.me_code(&old).await, "accepted");
    }
    // The refresh token is still the current one, and its tokens carry the time of the check.
    let refreshed = app.post("/refresh").bearer(&old.refresh).send().await.pair();
    assert_eq!(write_role(&app, &refreshed.access).await.status, 201);
    let later = refreshed_later(&app, &refreshed, 1).await;
    assert_eq!(write_role(&app, &later.access).await.code(), CODE);
}

#[actix_web::test]
async fn the_permission_is_checked_first() {
    let app = without_docs(app());
    let alice = app.user("alice").await;
    let alice = refreshed_later(&app, &alice, 1).await;
    assert_eq!(write_role(&app, &alice.access).await.code(), "forbidden");
}

#[actix_web::test]
async fn dry_runs_and_own_roles_require_the_check_too() {
    let app = without_docs(app());
    let root = app.admin("root").await;
    app.admin("spare").await;
    app.role("editor", &[]).await;
    let id = app.id(&root).await;
    let root = refreshed_later(&app, &root, 1).await;
    let roles = json!({"new_roles": ["user"]});
    for (method, path, body) in [
        (Method::PUT, "/roles/update".to_owned(), Some(&roles)),
        (Method::PUT, "/roles/update?dry_run=true".to_owned(), Some(&roles)),
        (
            Method::PUT,
            format!("/users/{id}/roles?dry_run=true"),
            Some(&roles),
        ),
        (
            Method::PUT,
            "/roles/editor?dry_run=true".to_owned(),
            Some(&json!({"permissions": []})),
        ),
        (Method::DELETE, "/roles/editor?dry_run=true".to_owned(), None),
    ] {
        let mut request = app.request(method, &path).bearer(&root.access);
        if let Some(body) = body {
            request = request.json(body);
        }
        assert_eq!(request.send().await.code(), CODE, "{path}");
    }
}

#[actix_web::test]
async fn a_wrong_password_and_an_ended_session_get_no_token() {
    let app = without_docs(app());
    let alice = app.user("alice").await;
    let wrong = reauthenticate(&app, &alice.access, "guessed").await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (401, "invalid_credentials")
    );
    assert_eq!(wrong.header("www-authenticate"), "Bearer");
    assert_eq!(app.post("/logout").bearer(&alice.access).send().await.status, 204);
    let ended = reauthenticate(&app, &alice.access, PASSWORD).await;
    assert_eq!((ended.status, ended.code().as_str()), (401, "token_revoked"));
}

#[actix_web::test]
async fn a_check_is_in_the_audit_log() {
    let app = without_docs(app());
    let root = app.admin("root").await;
    reauthenticate(&app, &root.access, PASSWORD).await;
    reauthenticate(&app, &root.access, "guessed").await;
    let log = app.get("/audit?limit=2").bearer(&root.access).send().await;
    let events = log.body["events"].as_array().cloned().unwrap_or_default();
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str()).collect();
    assert_eq!(
        actions,
        [Some("reauthentication_failed"), Some("reauthenticated")],
        "{}",
        log.body
    );
}

#[test]
fn the_document_lists_the_challenge_on_exactly_the_routes_that_may_send_it() {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    for row in rows() {
        let operation = &document["paths"][row.path][row.method.to_lowercase()];
        let described = response(&document, operation, "401")["description"].as_str();
        let is_listed = described.is_some_and(|text| text.contains(CODE));
        let is_sent = row.cells.contains(&("stale", 401));
        assert_eq!(is_listed, is_sent, "{} {}: {described:?}", row.method, row.path);
    }
}
