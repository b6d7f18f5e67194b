//! Administration of users and roles, within the caller's permissions.

use crate::app::{Answer, ISSUER, PASSWORD, Pair, TestApp, app};
use chrono::Duration;
use domain::changes::MAX_ROLES;
use serde_json::{Value, json};

fn logins(page: &Answer) -> Vec<&str> {
    assert_eq!(page.status, 200, "{}", page.body);
    let users = page.body["users"]
        .as_array()
        .expect("the response contains users");
    users.iter().filter_map(|user| user["login"].as_str()).collect()
}

async fn as_root(app: &TestApp) -> String {
    app.admin("root").await.access
}

#[actix_web::test]
async fn a_user_has_exactly_the_documented_fields() {
    let app = app();
    let root = as_root(&app).await;
    let alice = app.user("Alice").await;
    let id = app.id(&alice).await;
    let shown = app.get(&format!("/users/{id}")).bearer(&root).send().await;
    let at = "2026-01-12T13:46:40.123456Z";
    assert_eq!(
        shown.body,
        json!({
            "id": id,
            "login": "Alice",
            "roles": ["user"],
            "status": "active",
            "password_change_required": false,
            "password_expires_at": null,
            "created_at": at,
            "updated_at": at,
            "last_login_at": at,
        })
    );
    for missing in ["00000000-0000-0000-0000-000000000000", "alice", "1"] {
        let answer = app.get(&format!("/users/{missing}")).bearer(&root).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "not_found"),
            "{missing}"
        );
    }
}

#[actix_web::test]
async fn users_are_found_by_login_prefix_role_and_status() {
    let app = app();
    let root = as_root(&app).await;
    for login in ["Anna", "anton", "Berta"] {
        app.user(login).await;
    }
    app.set_status("anton", domain::user::UserStatus::Disabled).await;
    for (query, expected) in [
        ("", &["Anna", "anton", "Berta", "root"][..]),
        ("?q=an", &["Anna", "anton"]),
        ("?q=AN", &["Anna", "anton"]),
        ("?q=%EF%BC%A1n", &["Anna", "anton"]),
        ("?q=an&status=active", &["Anna"]),
        ("?status=disabled", &["anton"]),
        ("?role=admin", &["root"]),
        ("?role=unheard-of", &[]),
        ("?q=c", &[]),
    ] {
        let page = app.get(&format!("/users{query}")).bearer(&root).send().await;
        assert_eq!(logins(&page), expected, "{query}");
        assert_eq!(page.body["next_cursor"], Value::Null, "{query}");
    }
}

#[actix_web::test]
async fn pages_stay_consistent_while_users_are_added_and_removed() {
    let app = app();
    let root = as_root(&app).await;
    for number in 10..16 {
        app.user(&format!("user-{number}")).await;
    }
    let mut seen = Vec::new();
    let mut path = "/users?q=user-&limit=2".to_owned();
    for round in 0..3 {
        let page = app.get(&path).bearer(&root).send().await;
        seen.extend(logins(&page).into_iter().map(ToOwned::to_owned));
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/users?q=user-&limit=2&cursor={cursor}"),
            None => assert_eq!(round, 2),
        }
        // Delete a user before the page, and the user at which the page ended.
        if round == 0 {
            app.user("user-0").await;
            let last = app.log_in("user-11").await;
            let gone = app.delete("/me").bearer(&last.access);
            assert_eq!(gone.json(&json!({"password": PASSWORD})).send().await.status, 204);
        }
    }
    let expected: Vec<_> = (10..16).map(|number| format!("user-{number}")).collect();
    assert_eq!(seen, expected);
}

#[actix_web::test]
async fn administrators_set_a_status_and_delete_a_user() {
    let app = app();
    let root = as_root(&app).await;
    let alice = app.user("alice").await;
    let path = format!("/users/{}", app.id(&alice).await);
    let set = async |status: &str| {
        let request = app.patch(&path).bearer(&root);
        request.json(&json!({"status": status})).send().await
    };
    assert_eq!(set("disabled").await.body["status"], "disabled");
    assert_eq!(app.me_code(&alice).await, "token_outdated");
    let revision = app
        .get(&path)
        .bearer(&root)
        .send()
        .await
        .header("etag")
        .to_owned();
    assert_eq!(set("disabled").await.header("etag"), revision, "nothing changed");
    assert_eq!(set("active").await.body["status"], "active");
    let alice = app.log_in("alice").await;
    assert_eq!(app.me_code(&alice).await, "accepted");

    assert_eq!(app.delete(&path).bearer(&root).send().await.status, 204);
    assert_eq!(app.me_code(&alice).await, "token_revoked");
    assert_eq!(app.delete(&path).bearer(&root).send().await.code(), "not_found");
}

#[actix_web::test]
async fn administrators_list_and_end_user_sessions() {
    let app = app();
    let root = as_root(&app).await;
    let first = app.user("alice").await;
    app.clock.advance(Duration::seconds(1));
    let second = app.log_in("alice").await;
    let path = format!("/users/{}/sessions", app.id(&first).await);
    let listed = app.get(&path).bearer(&root).send().await;
    let sessions = listed.body["sessions"]
        .as_array()
        .expect("the response contains sessions");
    assert_eq!(sessions.len(), 2);
    assert!(sessions.iter().all(|session| session["current"] == false));

    for count in [2, 0] {
        let ended = app.delete(&path).bearer(&root).send().await;
        assert_eq!(
            (ended.status, &ended.body),
            (200, &json!({"sessions_ended": count}))
        );
    }
    for pair in [first, second] {
        assert_eq!(app.me_code(&pair).await, "token_revoked");
        assert_eq!(app.refresh_code(&pair).await, "session_revoked");
    }
}

#[actix_web::test]
async fn callers_change_only_users_within_reach_and_grant_only_their_permissions() {
    let app = app();
    let root = app.admin("root").await;
    let root_path = format!("/users/{}", app.id(&root).await);
    let clerk = app
        .holder(
            "clerk",
            "clerk",
            &["users:write", "roles:assign", "roles:write", "sessions:revoke"],
        )
        .await
        .access;
    app.role("auditor", &["audit:read"]).await;
    let alice = app.user("alice").await;
    let alice_path = format!("/users/{}", app.id(&alice).await);
    // A role without permissions is a privilege: other services read its name from tokens.
    let finance = app.holder("finn", "finance", &[]).await;
    let finance_path = format!("/users/{}", app.id(&finance).await);
    let call = async |method: &str, path: &str, body: Value| {
        let method = method.parse().expect("the method is valid");
        let request = app.request(method, path).bearer(&clerk);
        let request = if body.is_null() {
            request
        } else {
            request.json(&body)
        };
        let answer = request.send().await;
        (answer.status, answer.code())
    };
    let roles = |path: &str| format!("{path}/roles");
    for (method, path, body, code) in [
        (
            "PATCH",
            root_path.clone(),
            json!({"status": "disabled"}),
            "out_of_reach",
        ),
        ("DELETE", root_path.clone(), Value::Null, "out_of_reach"),
        (
            "PUT",
            format!("{root_path}/password"),
            Value::Null,
            "out_of_reach",
        ),
        (
            "DELETE",
            format!("{root_path}/sessions"),
            Value::Null,
            "out_of_reach",
        ),
        ("PUT", roles(&root_path), json!({"new_roles": []}), "out_of_reach"),
        (
            "PUT",
            roles(&alice_path),
            json!({"new_roles": ["auditor"]}),
            "role_not_assignable",
        ),
        (
            "PUT",
            roles(&alice_path),
            json!({"new_roles": ["admin"]}),
            "role_not_assignable",
        ),
        (
            "PUT",
            roles(&alice_path),
            json!({"new_roles": ["finance"]}),
            "role_not_assignable",
        ),
        (
            "PUT",
            "/roles/update".to_owned(),
            json!({"new_roles": ["clerk", "finance"]}),
            "role_not_assignable",
        ),
        (
            "PUT",
            format!("{finance_path}/password"),
            Value::Null,
            "out_of_reach",
        ),
        (
            "PUT",
            roles(&finance_path),
            json!({"new_roles": []}),
            "out_of_reach",
        ),
        (
            "PUT",
            "/roles/finance".to_owned(),
            json!({"permissions": [], "self_assignable": true}),
            "out_of_reach",
        ),
        (
            "PUT",
            "/roles/new".to_owned(),
            json!({"permissions": []}),
            "out_of_reach",
        ),
        (
            "PUT",
            "/roles/clerk".to_owned(),
            json!({"permissions": ["audit:read"]}),
            "permission_not_grantable",
        ),
        (
            "PUT",
            "/roles/clerk".to_owned(),
            json!({"permissions": ["users:write"], "self_assignable": true}),
            "self_assignable_not_grantable",
        ),
        (
            "PUT",
            "/roles/auditor".to_owned(),
            json!({"permissions": []}),
            "out_of_reach",
        ),
        ("DELETE", "/roles/auditor".to_owned(), Value::Null, "out_of_reach"),
    ] {
        assert_eq!(
            call(method, &path, body).await,
            (403, code.to_owned()),
            "{method} {path}"
        );
    }
    assert_eq!(app.me_code(&root).await, "accepted");
    assert_eq!(app.me_code(&alice).await, "accepted");
    assert_eq!(app.me_code(&finance).await, "accepted");
}

#[actix_web::test]
async fn a_role_is_assigned_by_callers_who_have_it_or_the_permission_to_assign_it() {
    let app = app();
    app.role("finance", &[]).await;
    let alice = app.user("alice").await;
    let path = format!("/users/{}/roles", app.id(&alice).await);
    let clerk = app.holder("clerk", "clerk", &["roles:assign"]).await;
    let granted = app
        .holder("granted", "granter", &["roles:assign", "assign:finance"])
        .await;
    let assign = async |caller: &Pair, roles: &[&str]| {
        let request = app.put(&path).bearer(&caller.access);
        request.json(&json!({"new_roles": roles})).send().await.status
    };
    assert_eq!(assign(&clerk, &["finance"]).await, 403);
    assert_eq!(assign(&granted, &["finance"]).await, 200);
    assert_eq!(assign(&clerk, &[]).await, 403);
    assert_eq!(assign(&granted, &[]).await, 200);
}

#[actix_web::test]
async fn missing_users_and_roles_are_reported() {
    let app = app();
    let alice = app.user("alice").await;
    let answer = app.get("/users").bearer(&alice.access).send().await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "forbidden"));
    let detail = answer.body["detail"].as_str().expect("the problem has a detail");
    assert!(detail.contains("users:read"), "{detail}");
}

#[actix_web::test]
async fn administrators_cannot_reset_their_own_password() {
    let app = app();
    let root = app.admin("root").await;
    let path = format!("/users/{}/password", app.id(&root).await);
    let answer = app.put(&path).bearer(&root.access).send().await;
    assert_eq!((answer.status, answer.code().as_str()), (403, "own_password"));
    assert_eq!(app.me_code(&root).await, "accepted");
}

#[actix_web::test]
async fn a_role_is_created_changed_and_deleted() {
    let app = app();
    let root = as_root(&app).await;
    let body = json!({"description": "Edits.", "permissions": ["articles:write", "articles:write"], "self_assignable": true});
    let made = app.put("/roles/editor").bearer(&root).json(&body).send().await;
    assert_eq!((made.status, made.header("location")), (201, "/roles/editor"));
    let role = json!({"name": "editor", "description": "Edits.", "permissions": ["articles:write"], "self_assignable": true});
    assert_eq!(made.body, role);
    let catalogue = app.get("/roles").bearer(&root).send().await;
    let names: Vec<_> = catalogue.body["roles"]
        .as_array()
        .expect("the response contains roles")
        .iter()
        .filter_map(|role| role["name"].as_str())
        .collect();
    assert_eq!(names, ["admin", "editor", "user"]);

    // A user with the role gets its permissions at once, and those it is given later.
    let alice = app.user("alice").await;
    let take = json!({"new_roles": ["editor", "user"], "keep_sessions": true});
    let taken = app
        .put("/roles/update")
        .bearer(&alice.access)
        .json(&take)
        .send()
        .await;
    assert_eq!(taken.status, 200, "{}", taken.body);
    let alice = app.post("/refresh").bearer(&alice.refresh).send().await.pair();
    let me = async || app.get("/me").bearer(&alice.access).send().await.body["permissions"].clone();
    assert_eq!(me().await, json!(["articles:write"]));
    let changed = app
        .put("/roles/editor")
        .bearer(&root)
        .json(&json!({"permissions": ["articles:read"]}))
        .send()
        .await;
    assert_eq!((changed.status, changed.header("location")), (200, ""));
    assert_eq!(me().await, json!(["articles:read"]));

    let in_use = app.delete("/roles/editor").bearer(&root).send().await;
    assert_eq!((in_use.status, in_use.code().as_str()), (409, "role_in_use"));
    let drop = json!({"new_roles": ["user"]});
    assert_eq!(
        app.put("/roles/update")
            .bearer(&alice.access)
            .json(&drop)
            .send()
            .await
            .status,
        200
    );
    assert_eq!(app.delete("/roles/editor").bearer(&root).send().await.status, 204);
    assert_eq!(
        app.delete("/roles/editor").bearer(&root).send().await.code(),
        "not_found"
    );
}

#[actix_web::test]
async fn invalid_roles_are_rejected_with_an_error_per_field() {
    let app = app();
    let root = as_root(&app).await;
    for (name, body, field, code) in [
        ("Editor", json!({"permissions": []}), "name", "invalid_name"),
        ("a%20b", json!({"permissions": []}), "name", "invalid_name"),
        (
            "ok",
            json!({"permissions": [], "description": "a\nb"}),
            "description",
            "invalid_description",
        ),
        (
            "ok",
            json!({"permissions": [], "description": "x".repeat(201)}),
            "description",
            "invalid_description",
        ),
        (
            "ok",
            json!({"permissions": ["a:b", "all"]}),
            "permissions[1]",
            "invalid_permission",
        ),
        (
            "ok",
            json!({"permissions": vec!["a:b"; 65]}),
            "permissions",
            "too_many",
        ),
        ("ok", json!({}), "permissions", "missing_field"),
        (
            "ok",
            json!({"permissions": [], "name": "ok"}),
            "name",
            "unknown_field",
        ),
    ] {
        let answer = app
            .put(&format!("/roles/{name}"))
            .bearer(&root)
            .json(&body)
            .send()
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, "validation_failed"),
            "{body}"
        );
        let error = &answer.body["errors"][0];
        assert_eq!(
            (&error["field"], &error["code"]),
            (&json!(field), &json!(code)),
            "{body}"
        );
    }
}

#[actix_web::test]
async fn built_in_roles_cannot_be_deleted_and_the_catalogue_is_limited() {
    let app = app();
    let root = as_root(&app).await;
    let body = json!({"permissions": []});
    let changed = app.put("/roles/admin").bearer(&root).json(&body).send().await;
    assert_eq!((changed.status, changed.code().as_str()), (409, "role_built_in"));
    for name in ["admin", "user"] {
        let removed = app.delete(&format!("/roles/{name}")).bearer(&root).send().await;
        assert_eq!(
            (removed.status, removed.code().as_str()),
            (409, "role_built_in"),
            "{name}"
        );
    }
    for number in 2..MAX_ROLES {
        app.role(&format!("role-{number}"), &[]).await;
    }
    let full = app
        .put("/roles/one-too-many")
        .bearer(&root)
        .json(&body)
        .send()
        .await;
    assert_eq!((full.status, full.code().as_str()), (409, "catalogue_full"));
}

#[actix_web::test]
async fn the_audit_log_is_filtered_and_paged() {
    let app = app();
    let root = app.admin("root").await;
    let alice = app.user("alice").await;
    let (root_id, alice_id) = (app.id(&root).await, app.id(&alice).await);
    app.clock.advance(Duration::seconds(60));
    let body = json!({"new_roles": [], "keep_sessions": true});
    let path = format!("/users/{alice_id}/roles");
    assert_eq!(
        app.put(&path)
            .bearer(&root.access)
            .json(&body)
            .send()
            .await
            .status,
        200
    );
    let read = async |query: &str| {
        app.get(&format!("/audit{query}"))
            .bearer(&root.access)
            .send()
            .await
    };
    let actions = |page: &Answer| -> Vec<String> {
        assert_eq!(page.status, 200, "{}", page.body);
        let events = page.body["events"]
            .as_array()
            .expect("the response contains events")
            .iter();
        events
            .map(|event| {
                event["action"]
                    .as_str()
                    .expect("the event has an action")
                    .to_owned()
            })
            .collect()
    };

    let newest = &read("?limit=1").await.body["events"][0];
    assert_eq!(newest["action"], "roles_changed");
    assert_eq!(newest["outcome"], "success");
    assert_eq!(newest["actor"], json!({"kind": "user", "id": root_id}));
    assert_eq!(newest["user"], json!(alice_id));
    assert_eq!(
        (&newest["ip"], &newest["at"]),
        (&json!("192.0.2.7"), &json!("2026-01-12T13:47:40.123456Z"))
    );
    assert_eq!(newest["details"]["before"], "user");

    for (query, expected) in [
        (
            format!("?user={alice_id}"),
            &["roles_changed", "logged_in", "user_registered"][..],
        ),
        (format!("?actor={root_id}"), &["roles_changed", "logged_in"]),
        ("?action=roles_changed".to_owned(), &["roles_changed"]),
        ("?from=2026-01-12T13:47:00Z".to_owned(), &["roles_changed"]),
        (
            format!("?user={alice_id}&until=2026-01-12T13:47:00Z"),
            &["logged_in", "user_registered"],
        ),
        ("?until=2026-01-01T00:00:00Z".to_owned(), &[]),
    ] {
        assert_eq!(actions(&read(&query).await), expected, "{query}");
    }

    let whole = actions(&read("").await);
    let mut paged = Vec::new();
    let mut query = "?limit=2".to_owned();
    for _ in 0..whole.len() {
        let page = read(&query).await;
        paged.extend(actions(&page));
        // New events do not shift the pages.
        app.log_in("alice").await;
        match page.body["next_cursor"].as_str() {
            Some(cursor) => query = format!("?limit=2&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(paged, whole);
}

#[actix_web::test]
async fn list_queries_are_validated() {
    let app = app();
    let root = as_root(&app).await;
    for (path, field) in [
        ("/users?surprise=1", "surprise"),
        ("/users?limit=ten", "limit"),
        ("/users?status=asleep", "status"),
        ("/users?q=a&q=b", "q"),
        ("/users?limit=0", "limit"),
        ("/users?limit=101", "limit"),
        ("/users?q=a%20b", "q"),
        ("/users?role=Not%20A%20Name", "role"),
        ("/users?cursor=!", "cursor"),
        ("/users?cursor=YQ", "cursor"),
        ("/audit?surprise=1", "surprise"),
        ("/audit?user=alice", "user"),
        ("/audit?from=yesterday", "from"),
        ("/audit?limit=0", "limit"),
        ("/audit?action=unheard_of", "action"),
        ("/audit?cursor=YQ", "cursor"),
        ("/roles/editor?dry_run=1", "dry_run"),
        ("/roles/editor?surprise=true", "surprise"),
    ] {
        let request = if path.starts_with("/roles") {
            app.delete(path)
        } else {
            app.get(path)
        };
        let answer = request.bearer(&root).send().await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (422, "validation_failed"),
            "{path}"
        );
        assert_eq!(answer.body["errors"][0]["field"], field, "{path}");
    }
}

#[actix_web::test]
async fn a_witness_without_an_account_reads_the_checkpoint_and_the_key() {
    let app = app();
    let none = app.get("/audit/checkpoint").send().await;
    assert_eq!((none.status, none.code().as_str()), (404, "not_found"));
    let note = app.sign_checkpoint().await;
    app.clock.advance(Duration::seconds(1));
    let seal = "07".repeat(32);
    for (path, body, etag) in [
        ("/audit/checkpoint", &*note, format!("\"17.{seal}\"")),
        (
            "/audit/public-key",
            "toy+01010101+AQ==\n",
            "\"toy+01010101+AQ==\"".to_owned(),
        ),
    ] {
        let shown = app.get(path).send().await;
        assert_eq!((shown.status, &*shown.raw), (200, body.as_bytes()), "{path}");
        assert_eq!(shown.header("content-type"), "text/plain; charset=utf-8");
        assert_eq!(shown.header("etag"), etag);
        let unchanged = app.get(path).header("If-None-Match", &etag).send().await;
        assert_eq!((unchanged.status, unchanged.raw.len()), (304, 0), "{path}");
        let changed = app.get(path).header("If-None-Match", "\"16\"").send().await;
        assert_eq!(changed.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn metadata_lists_only_supported_features() {
    let mut app = app();
    let path = "/.well-known/oauth-authorization-server";
    let metadata = app.get(path).send().await;
    assert_eq!(
        metadata.body,
        json!({
            "issuer": ISSUER,
            "jwks_uri": format!("{ISSUER}/.well-known/jwks.json"),
            "response_types_supported": [],
            "grant_types_supported": [],
            "service_documentation": format!("{ISSUER}/docs/"),
        })
    );
    app.edge.settings.docs = false;
    let metadata = app.get(path).send().await;
    assert!(metadata.body.get("service_documentation").is_none());
    app.edge.settings.issuer = None;
    assert_eq!(app.get(path).send().await.code(), "not_found");
}

#[actix_web::test]
async fn metadata_of_an_issuer_with_a_path_are_served_before_the_path_too() {
    let mut app = app();
    let well_known = "/.well-known/oauth-authorization-server";
    for (issuer, asked, status) in [
        ("https://auth.example/tenant", "/tenant", 200),
        ("https://auth.example/tenant/", "/tenant", 200),
        ("https://auth.example/a/b%20c", "/a/b%20c", 200),
        ("https://auth.example/tenant", "", 200),
        ("https://auth.example/tenant", "/tenant/", 404),
        ("https://auth.example/tenant", "/", 404),
        ("https://auth.example/tenant", "/other", 404),
        ("https://auth.example/tenant", "/other/tenant", 404),
        ("https://auth.example", "/", 404),
        ("https://auth.example", "/tenant", 404),
        ("https://auth.example/{tenant", "/x", 404),
    ] {
        app.edge.settings.issuer = Some(issuer.to_owned());
        let metadata = app.get(&format!("{well_known}{asked}")).send().await;
        assert_eq!(metadata.status, status, "{issuer} {asked}");
        if status == 200 {
            assert_eq!(metadata.body["issuer"], issuer);
        }
    }
    let unknown = app.get(&format!("{well_known}/tenant?a=1")).send().await;
    assert_eq!(unknown.status, 422);
}
