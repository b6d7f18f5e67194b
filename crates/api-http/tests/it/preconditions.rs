//! Preconditions and dry runs.

use crate::{
    app::{Answer, PASSWORD, TestApp, app, without_docs},
    authorisation::rows,
};
use actix_web::http::Method;
use api_http::openapi;
use serde_json::{Value, json};
use std::collections::BTreeSet;

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
            "/roles/update".to_owned(),
            json!({"new_roles": ["user"], "login": "alice"}),
            user.clone(),
        ),
        (Method::PUT, format!("{user}/password"), Value::Null, user.clone()),
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
            if path != "/roles/update" {
                // The response to a reset contains the user.
                let shown = made.body.get("user").unwrap_or(&made.body);
                assert_eq!(*shown, again.body, "{method} {path}");
            }
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

/// Sends `PUT /roles/editor` with `headers` and returns the status and the code.
async fn put_editor(app: &TestApp, root: &str, query: &str, headers: &[(&str, &str)]) -> (u16, String) {
    let mut request = app.put(&format!("/roles/editor{query}")).bearer(root);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let answer = request
        .json(&json!({"permissions": ["articles:write"]}))
        .send()
        .await;
    (answer.status, answer.code())
}

#[actix_web::test]
async fn if_none_match_with_a_star_creates_a_role_and_never_replaces_one() {
    let (app, root, _) = admin_and_user().await;
    let create = &[("If-None-Match", "*")][..];
    assert_eq!(put_editor(&app, &root, "?dry_run=true", create).await.0, 200);
    assert_eq!(put_editor(&app, &root, "", create).await.0, 201);
    let before = app.get("/roles/editor").bearer(&root).send().await;
    let failed = (412, "precondition_failed".to_owned());
    let malformed = (400, "malformed_request".to_owned());
    let tag = before.header("etag");
    for (query, headers, expected) in [
        ("", create, &failed),
        ("?dry_run=true", create, &failed),
        ("", &[("If-Match", "*"), ("If-None-Match", "*")], &failed),
        ("", &[("If-Match", tag), ("If-None-Match", "*")], &failed),
        ("", &[("If-None-Match", tag)], &malformed),
        ("", &[("If-None-Match", "*"), ("If-None-Match", "*")], &malformed),
    ] {
        assert_eq!(
            put_editor(&app, &root, query, headers).await,
            *expected,
            "{query} {headers:?}"
        );
    }
    let after = app.get("/roles/editor").bearer(&root).send().await;
    assert_eq!((after.header("etag"), &after.body), (tag, &before.body));
    assert_eq!(put_editor(&app, &root, "", &[("If-Match", tag)]).await.0, 200);
}

#[actix_web::test]
async fn a_tag_of_a_removed_role_never_matches_its_successor() {
    let (app, root, _) = admin_and_user().await;
    let mut seen = BTreeSet::<String>::new();
    // A role without permissions changes nothing else in the catalogue.
    for permissions in [&["articles:write"][..], &[], &[]] {
        app.role("editor", permissions).await;
        let tag = app
            .get("/roles/editor")
            .bearer(&root)
            .send()
            .await
            .header("etag")
            .to_owned();
        for stale in &seen {
            let (status, _) = put_editor(&app, &root, "", &[("If-Match", stale)]).await;
            assert_eq!(status, 412, "{stale}");
        }
        assert!(seen.insert(tag), "{seen:?}");
        assert_eq!(app.delete("/roles/editor").bearer(&root).send().await.status, 204);
    }
}

#[actix_web::test]
async fn the_tag_of_admin_changes_with_its_permissions() {
    let (app, root, _) = admin_and_user().await;
    let admin = async || app.get("/roles/admin").bearer(&root).send().await;
    let before = admin().await;
    app.role("editor", &["articles:write"]).await;
    let after = admin().await;
    assert_ne!(before.body, after.body);
    assert_ne!(before.header("etag"), after.header("etag"));
}

#[actix_web::test]
async fn a_tag_of_a_deleted_user_never_matches_the_next_user_with_this_login() {
    let (app, root, user) = admin_and_user().await;
    let stale = app
        .get(&user)
        .bearer(&root)
        .send()
        .await
        .header("etag")
        .to_owned();
    assert_eq!(app.delete(&user).bearer(&root).send().await.status, 204);
    let alice = app.user("alice").await;
    let path = format!("/users/{}", app.id(&alice).await);
    let fresh = app
        .get(&path)
        .bearer(&root)
        .send()
        .await
        .header("etag")
        .to_owned();
    for (tag, status) in [(stale, 412), (fresh, 200)] {
        let request = app.put("/roles/update").bearer(&root).header("If-Match", &tag);
        let answer = request
            .json(&json!({"new_roles": [], "login": "alice"}))
            .send()
            .await;
        assert_eq!(answer.status, status, "{tag}: {}", answer.body);
    }
}

#[actix_web::test]
async fn a_login_changes_the_tag_of_its_user() {
    let (app, root, user) = admin_and_user().await;
    let before = app.get(&user).bearer(&root).send().await;
    app.clock.advance(chrono::TimeDelta::seconds(1));
    app.log_in("alice").await;
    let after = app.get(&user).bearer(&root).send().await;
    assert_ne!(before.body["last_login_at"], after.body["last_login_at"]);
    assert_ne!(before.header("etag"), after.header("etag"));
}

/// The documented operations, each with its method and path.
fn operations() -> Vec<(String, String, Value)> {
    let document = serde_json::to_value(openapi()).expect("the document is JSON");
    let paths = document["paths"].as_object().expect("paths");
    let operations = paths.iter().flat_map(|(path, item)| {
        let item = item.as_object().expect("operations");
        item.iter()
            .map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
    });
    operations.collect()
}

#[actix_web::test]
async fn every_response_with_a_tag_is_not_sent_again() {
    let (app, root, user) = admin_and_user().await;
    let id = user.trim_start_matches("/users/");
    app.role("editor", &[]).await;
    app.sign_checkpoint().await;
    for (method, path, operation) in operations() {
        if method != "GET" {
            continue;
        }
        let url = path.replace("{id}", id).replace("{name}", "editor");
        let full = app.get(&url).bearer(&root).send().await;
        let tag = full.header("etag").to_owned();
        assert_eq!(full.status, 200, "{path}");
        assert_eq!(
            operation["responses"]["304"].is_object(),
            !tag.is_empty(),
            "{path}"
        );
        for (sent, status) in [
            (tag.clone(), 304),
            (format!("\"other\", W/{tag}"), 304),
            ("\"other\"".to_owned(), 200),
        ] {
            let status = if tag.is_empty() { 200 } else { status };
            for method in [Method::GET, Method::HEAD] {
                let request = app.request(method, &url).bearer(&root);
                let answer = request.header("If-None-Match", &sent).send().await;
                assert_eq!(answer.status, status, "{path} {sent}");
                assert_eq!(answer.header("etag"), tag, "{path}");
                assert_eq!(
                    answer.header("cache-control"),
                    full.header("cache-control"),
                    "{path}"
                );
                assert!(status == 200 || answer.raw.is_empty(), "{path}");
            }
        }
    }
}

#[actix_web::test]
async fn a_precondition_that_a_route_does_not_evaluate_is_refused_and_nothing_changes() {
    let app = without_docs(app());
    let root = app.admin("root").await.access;
    app.role("editor", &[]).await;
    let bob = app.user("bob").await;
    let id = app.id(&bob).await;
    let operations = operations();
    for row in rows() {
        let (_, _, operation) = operations
            .iter()
            .find(|(method, path, _)| (method.as_str(), path.as_str()) == (row.method, row.path))
            .expect("every route is documented");
        let declares = |name: &str| {
            let parameters = operation["parameters"].as_array().into_iter().flatten();
            parameters
                .clone()
                .any(|it| it["in"] == "header" && it["name"] == name)
        };
        for (name, value) in [
            ("If-Match", "\"1\""),
            ("If-None-Match", "*"),
            ("If-Unmodified-Since", "Sat, 28 Nov 2026 09:00:00 GMT"),
        ] {
            let is_read = row.method == "GET" && name == "If-None-Match";
            if declares(name) || is_read {
                continue;
            }
            let path = row.path.replace("{id}", &id).replace("{name}", "editor");
            let method = Method::try_from(row.method).expect("a method");
            let request = app.request(method, &path).bearer(&root).header(name, value);
            let request = request.json(&json!({"password": PASSWORD}));
            let answer = request.send().await;
            let answered = (answer.status, answer.code());
            let expected = (400, "precondition_unsupported".to_owned());
            assert_eq!(answered, expected, "{} {} {name}", row.method, row.path);
        }
    }
    assert_eq!(app.me_code(&bob).await, "accepted");
    assert_eq!(app.get("/roles/editor").bearer(&root).send().await.status, 200);
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
