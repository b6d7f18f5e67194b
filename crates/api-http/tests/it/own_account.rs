//! Export and deletion of the caller's own account.

use crate::app::{PASSWORD, app};
use domain::audit::AuditNumber;
use serde_json::{Value, json};
use testkit::contract::damaged_audit_log::Damage;

#[actix_web::test]
async fn an_export_contains_all_own_data_and_none_of_others() {
    let app = app();
    let root = app.admin("root").await;
    let alice = app.user("Alice").await;
    let id = app.id(&alice).await;
    app.user("mallory").await;
    let set = app
        .put(&format!("/users/{id}/roles"))
        .bearer(&root.access)
        .header("User-Agent", "The admin's own browser")
        .json(&json!({"new_roles": [], "keep_sessions": true}))
        .send()
        .await;
    assert_eq!(set.status, 200);

    let alice = app.post("/refresh").bearer(&alice.refresh).send().await.pair();
    let export = app.get("/me/export").bearer(&alice.access).send().await;
    assert_eq!(export.status, 200);
    assert_eq!(export.header("content-type"), "application/json");
    assert_eq!(
        export.header("content-disposition"),
        "attachment; filename=\"authapi-export.json\""
    );
    assert_eq!(export.header("cache-control"), "no-store");
    assert_eq!(
        (
            &export.body["account"]["login"],
            &export.body["account"]["status"]
        ),
        (&json!("Alice"), &json!("active"))
    );
    assert_eq!(export.body["sessions"][0]["current"], true);
    let events = export.body["events"]
        .as_array()
        .expect("the response contains events");
    let told: Vec<_> = events
        .iter()
        .map(|event| (event["action"].as_str(), event["by"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("roles_changed"), Some("administrator")),
            (Some("logged_in"), Some("self")),
            (Some("user_registered"), Some("anonymous")),
        ]
    );
    assert_eq!(
        (&events[0]["ip"], &events[0]["user_agent"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(events[1]["ip"], "192.0.2.7");
    let text = String::from_utf8_lossy(&export.raw).into_owned();
    for foreign in ["mallory", "The admin's own browser", "plain$"] {
        assert!(!text.contains(foreign), "{foreign}");
    }
    assert_eq!(export.body["unreadable_events"], json!([]));
}

#[actix_web::test]
async fn an_export_names_the_events_that_cannot_be_read() {
    let app = app();
    let alice = app.user("alice").await;
    let registered = AuditNumber(1);
    app.storage.damage_event(registered, Damage::Details);

    let export = app.get("/me/export").bearer(&alice.access).send().await;

    assert_eq!(export.status, 200, "{}", export.body);
    let events = export.body["events"]
        .as_array()
        .expect("the response contains events");
    let actions: Vec<_> = events.iter().map(|event| event["action"].as_str()).collect();
    assert_eq!(actions, [Some("logged_in")]);
    assert_eq!(export.body["unreadable_events"], json!([1]));
}

#[actix_web::test]
async fn deleting_an_account_requires_the_password_and_is_final() {
    let app = app();
    let alice = app.user("alice").await;
    let leave = async |password: &str| {
        app.delete("/me")
            .bearer(&alice.access)
            .json(&json!({"password": password}))
            .send()
            .await
    };
    let wrong = leave("guessed").await;
    assert_eq!(
        (wrong.status, wrong.code().as_str()),
        (401, "invalid_credentials")
    );
    assert_eq!(app.me_code(&alice).await, "accepted");

    assert_eq!(leave(PASSWORD).await.status, 204);
    assert_eq!(app.me_code(&alice).await, "token_revoked");
    assert_ne!(app.refresh_code(&alice).await, "accepted");
    let body = json!({"login": "alice", "password": PASSWORD});
    assert_eq!(
        app.post("/login").json(&body).send().await.code(),
        "invalid_credentials"
    );
    // The login is available again, for a new user.
    let again = app.user("alice").await;
    assert_eq!(app.me_code(&again).await, "accepted");
    assert_eq!(app.me_code(&alice).await, "token_revoked");
}

#[actix_web::test]
async fn the_last_admin_cannot_delete_their_account() {
    let app = app();
    let root = app.admin("root").await;
    let request = app.delete("/me").bearer(&root.access);
    let answer = request.json(&json!({"password": PASSWORD})).send().await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "last_admin"));
    assert_eq!(app.me_code(&root).await, "accepted");
}
