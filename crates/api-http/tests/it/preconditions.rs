//! Preconditions and dry runs.

use crate::app::{Answer, NEW_PASSWORD, TestApp, app};
use actix_web::http::Method;
use serde_json::{Value, json};

/// Creates an app; returns it with an admin's token and the path of a user who is not an admin.
async fn admin_and_user() -> (TestApp, String, String) {
    let app = app();
    let root = app.admin("root").await.access;
    let alice = app.user("alice").await;
    let path = format!("/users/{}", app.id(&alice).await);
    (app, root, path)
}

/// Every change that supports a precondition: method, path, body, and the path of its target.
fn changes(user: &str) -> Vec<(Method, String, Value, String)> {
    let role = "/roles/editor".to_owned();
    let user = user.to_owned();
    vec![
        (
            Method::PATCH,
            user.clone(),
            json!({"status": "disabled"}),
            user.clone(),
        ),
        (
            Method::PUT,
            format!("{user}/roles"),
            json!({"new_roles": []}),
            user.clone(),
        ),
        (
            Method::PUT,
            format!("{user}/password"),
            json!({"new_password": NEW_PASSWORD}),
            user.clone(),
        ),
        (
            Method::PUT,
            role.clone(),
            json!({"permissions": ["articles:write"]}),
            role.clone(),
        ),
        (Method::DELETE, role.clone(), Value::Null, role),
        (Method::DELETE, user.clone(), Value::Null, user),
    ]
}

async fn change(app: &TestApp, token: &str, change: &(Method, String, Value, String), tag: &str) -> Answer {
    let (method, path, body, _) = change;
    let mut request = app
        .request(method.clone(), path)
        .bearer(token)
        .header("If-Match", tag);
    if !body.is_null() {
        request = request.json(body);
    }
    request.send().await
}

#[actix_web::test]
async fn a_change_requires_the_revision_that_the_client_saw() {
    let (app, root, user) = admin_and_user().await;
    app.role("editor", &[]).await;
    for this in changes(&user) {
        let (method, path, _, thing) = &this;
        let seen = app.get(thing).bearer(&root).send().await;
        let tag = seen.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.ends_with('"'), "{thing}: {tag}");
        for (other, status, code) in [
            ("\"999\"".to_owned(), 412, "precondition_failed"),
            ("\"another-service\"".to_owned(), 412, "precondition_failed"),
            (format!("W/{tag}"), 412, "precondition_failed"),
            ("7".to_owned(), 400, "malformed_request"),
        ] {
            let refused = change(&app, &root, &this, &other).await;
            let answered = (refused.status, refused.code());
            assert_eq!(answered, (status, code.to_owned()), "{method} {path} {other}");
        }
        assert_eq!(
            app.get(thing).bearer(&root).send().await.body,
            seen.body,
            "{thing}"
        );

        let made = change(&app, &root, &this, &tag).await;
        assert!(made.status < 300, "{method} {path}: {}", made.body);
        if made.status == 200 {
            let again = app.get(thing).bearer(&root).send().await;
            assert_eq!(made.header("etag"), again.header("etag"), "{method} {path}");
            assert_ne!(made.header("etag"), tag, "{method} {path}");
            assert_eq!(made.body, again.body, "{method} {path}");
        }
    }
}

#[actix_web::test]
async fn the_second_of_two_concurrent_changes_is_rejected() {
    let (app, root, user) = admin_and_user().await;
    let tag = app
        .get(&user)
        .bearer(&root)
        .send()
        .await
        .header("etag")
        .to_owned();
    let set = async |roles: Value| {
        app.put(&format!("{user}/roles"))
            .bearer(&root)
            .header("If-Match", &tag)
            .json(&json!({"new_roles": roles}))
            .send()
            .await
            .status
    };
    assert_eq!(set(json!([])).await, 200);
    assert_eq!(set(json!(["user"])).await, 412);
}

#[actix_web::test]
async fn a_star_matches_any_existing_target() {
    let (app, root, user) = admin_and_user().await;
    app.role("editor", &[]).await;
    let request = app.put("/roles/editor").bearer(&root).header("If-Match", "*");
    let written = request
        .json(&json!({"permissions": ["articles:write"]}))
        .send()
        .await;
    assert_eq!(written.status, 200, "{}", written.body);
    for status in ["disabled", "active"] {
        let request = app.patch(&user).bearer(&root).json(&json!({"status": status}));
        let answer = request.header("If-Match", "*").send().await;
        assert_eq!((answer.status, &answer.body["status"]), (200, &json!(status)));
    }
}

#[actix_web::test]
async fn a_precondition_on_a_missing_role_fails() {
    let (app, root, _) = admin_and_user().await;
    for tag in ["\"0\"", "*"] {
        let request = app.put("/roles/editor").bearer(&root).header("If-Match", tag);
        let answer = request.json(&json!({"permissions": []})).send().await;
        let answered = (answer.status, answer.code());
        assert_eq!(answered, (412, "precondition_failed".to_owned()), "{tag}");
    }
    assert_eq!(app.get("/roles/editor").bearer(&root).send().await.status, 404);
}

#[actix_web::test]
async fn a_dry_run_of_a_role_change_reports_what_would_end_and_ends_nothing() {
    let (app, root, user) = admin_and_user().await;
    let pair = app.log_in("alice").await;
    let before = app.get(&user).bearer(&root).send().await;
    for (path, body, keep) in [
        (format!("{user}/roles"), json!({"new_roles": []}), false),
        (
            format!("{user}/roles"),
            json!({"new_roles": [], "keep_sessions": true}),
            true,
        ),
        (
            "/roles/update".to_owned(),
            json!({"new_roles": [], "login": "alice"}),
            false,
        ),
    ] {
        let path = format!("{path}?dry_run=true");
        let answer = app.put(&path).bearer(&root).json(&body).send().await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        assert_eq!(answer.body["dry_run"], true);
        assert_eq!(answer.body["user"]["roles"], json!([]));
        assert_eq!(answer.body["sessions_ended"], if keep { 0 } else { 2 }, "{path}");
        assert_eq!(answer.body["access_tokens_revoked"], true);
        assert_eq!(answer.header("etag"), "");
        let after = app.get(&user).bearer(&root).send().await;
        assert_eq!(
            (before.header("etag"), &before.body),
            (after.header("etag"), &after.body)
        );
        assert_eq!(app.me_code(&pair).await, "accepted");
    }
    let refused = app
        .put("/roles/update?dry_run=true")
        .bearer(&root)
        .json(&json!({"new_roles": []}))
        .send()
        .await;
    assert_eq!(refused.code(), "last_admin");
}

#[actix_web::test]
async fn a_dry_run_on_the_catalogue_changes_nothing() {
    let (app, root, _) = admin_and_user().await;
    app.holder("erin", "editor", &["articles:write"]).await;
    let catalogue = async || app.get("/roles").bearer(&root).send().await.body;
    let before = catalogue().await;

    let body = json!({"description": "New.", "permissions": []});
    for (name, created, holders) in [("editor", false, 1), ("author", true, 0)] {
        let path = format!("/roles/{name}?dry_run=true");
        let answer = app.put(&path).bearer(&root).json(&body).send().await;
        assert_eq!(
            (answer.status, &answer.body),
            (
                200,
                &json!({
                    "dry_run": true,
                    "created": created,
                    "role": {"name": name, "description": "New.", "permissions": [], "self_assignable": false},
                    "holders": holders,
                })
            )
        );
    }
    let in_use = app
        .delete("/roles/editor?dry_run=true")
        .bearer(&root)
        .send()
        .await;
    assert_eq!((in_use.status, in_use.code().as_str()), (409, "role_in_use"));
    assert_eq!(catalogue().await, before);

    app.role("idle", &[]).await;
    let would_go = app.delete("/roles/idle?dry_run=true").bearer(&root).send().await;
    assert_eq!(
        would_go.body,
        json!({"dry_run": true, "role": "idle", "holders": 0})
    );
    assert_eq!(app.get("/roles/idle").bearer(&root).send().await.status, 200);
}
