//! Password resets, and what a one-time password is accepted for.

use crate::app::{Answer, NEW_PASSWORD, PASSWORD, Pair, TestApp, app};
use chrono::Duration;
use serde_json::json;

/// Alice, whose password was reset to a code.
struct Alice {
    app: TestApp,
    root: Pair,
    id: String,
    /// Her tokens from before the reset.
    before: Pair,
    code: String,
}

async fn alice() -> Alice {
    let app = app();
    let root = app.admin("root").await;
    let before = app.user("alice").await;
    let id = app.id(&before).await;
    let reset = reset(&app, &root, &id).await;
    let code = code_in(&reset);
    Alice {
        app,
        root,
        id,
        before,
        code,
    }
}

async fn reset(app: &TestApp, root: &Pair, id: &str) -> Answer {
    let path = format!("/users/{id}/password");
    app.put(&path).bearer(&root.access).send().await
}

fn code_in(reset: &Answer) -> String {
    assert_eq!(reset.status, 200, "{}", reset.body);
    let code = reset.body["reset_code"].as_str();
    code.expect("the response contains a code").to_owned()
}

impl Alice {
    async fn log_in(&self, password: &str) -> Answer {
        let body = json!({"login": "alice", "password": password});
        self.app.post("/login").json(&body).send().await
    }

    async fn change_password(&self, pair: &Pair, current: &str, new: &str) -> Answer {
        let body = json!({"current_password": current, "new_password": new});
        let request = self.app.put("/me/password").bearer(&pair.access);
        request.json(&body).send().await
    }
}

fn outcome(answer: &Answer) -> (u16, String) {
    (answer.status, answer.code())
}

fn refused() -> (u16, String) {
    (401, "invalid_credentials".to_owned())
}

#[actix_web::test]
async fn a_reset_returns_a_code_with_its_expiry_and_the_tagged_user() {
    let alice = alice().await;
    let (app, root, id) = (&alice.app, &alice.root, &alice.id);
    assert_eq!(app.me_code(&alice.before).await, "token_outdated");
    let again = reset(app, root, id).await;
    assert_ne!(code_in(&again), alice.code);
    let groups: Vec<_> = alice.code.split('-').map(str::len).collect();
    assert_eq!(groups, [5, 5, 5, 5], "{}", alice.code);
    // The clock of the tests stands at 13:46:40.
    let expires_at = "2026-01-13T13:46:40.123456Z";
    assert_eq!(again.body["expires_at"], expires_at);
    assert_eq!(again.header("cache-control"), "no-store");

    let shown = app.get(&format!("/users/{id}")).bearer(&root.access).send().await;
    assert_eq!(again.body["user"], shown.body);
    assert_eq!(again.header("etag"), shown.header("etag"));
    assert_eq!(shown.body["password_change_required"], true);
    assert_eq!(shown.body["password_expires_at"], expires_at);
}

#[actix_web::test]
async fn a_code_in_any_spelling_opens_one_session() {
    let alice = alice().await;
    assert_eq!(outcome(&alice.log_in(PASSWORD).await), refused());
    let spelling = format!(" {} ", alice.code.to_uppercase().replace('-', " "));
    let opened = alice.log_in(&spelling).await;
    assert_eq!(opened.status, 200, "{}", opened.body);
    for again in [&spelling, &alice.code] {
        assert_eq!(outcome(&alice.log_in(again).await), refused());
    }
    let request = alice.app.get(&format!("/users/{}", alice.id));
    let shown = request.bearer(&alice.root.access).send().await;
    assert_eq!(shown.body["password_expires_at"], shown.body["last_login_at"]);
}

#[actix_web::test]
async fn after_a_password_reset_only_a_password_change_and_logout_are_allowed() {
    let alice = alice().await;
    let app = &alice.app;
    let pair = alice.log_in(&alice.code).await.pair();
    assert_eq!(app.me_code(&pair).await, "password_change_required");
    let pair = app.post("/refresh").bearer(&pair.refresh).send().await.pair();
    assert_eq!(app.me_code(&pair).await, "password_change_required");

    for same in [alice.code.clone(), alice.code.to_uppercase().replace('-', "")] {
        let unchanged = alice.change_password(&pair, &alice.code, &same).await;
        assert_eq!(outcome(&unchanged), (422, "password_unchanged".to_owned()));
    }
    let changed = alice.change_password(&pair, &alice.code, NEW_PASSWORD).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
    let pair = changed.pair();
    let me = app.get("/me").bearer(&pair.access).send().await;
    assert_eq!(me.body["roles"], json!(["user"]));
    let request = app.get(&format!("/users/{}", alice.id));
    let shown = request.bearer(&alice.root.access).send().await;
    assert_eq!(shown.body["password_change_required"], false);
    assert_eq!(shown.body["password_expires_at"], json!(null));
    for (password, status) in [(NEW_PASSWORD, 200), (NEW_PASSWORD, 200), (&alice.code, 401)] {
        assert_eq!(alice.log_in(password).await.status, status);
    }

    let code = code_in(&reset(app, &alice.root, &alice.id).await);
    let pair = alice.log_in(&code).await.pair();
    assert_eq!(app.post("/logout").bearer(&pair.access).send().await.status, 204);
}

#[actix_web::test]
async fn an_expired_code_opens_no_session() {
    let alice = alice().await;
    alice.app.clock.advance(Duration::hours(24));
    assert_eq!(outcome(&alice.log_in(&alice.code).await), refused());
}

#[actix_web::test]
async fn an_expired_code_confirms_the_user_whose_session_it_opened() {
    let alice = alice().await;
    alice
        .app
        .clock
        .advance(Duration::hours(24) - Duration::microseconds(1));
    let pair = alice.log_in(&alice.code).await.pair();
    alice.app.clock.advance(Duration::minutes(5));
    let changed = alice.change_password(&pair, &alice.code, NEW_PASSWORD).await;
    assert_eq!(changed.status, 200, "{}", changed.body);
}

#[actix_web::test]
async fn only_a_body_with_content_is_read_as_a_chosen_password() {
    let alice = alice().await;
    let send = async |body: &str| {
        let request = alice.app.put(&format!("/users/{}/password", alice.id));
        let request = request
            .bearer(&alice.root.access)
            .header("Content-Type", "application/json");
        request.bytes(body.to_owned()).send().await
    };
    code_in(&send("").await);
    for (body, expected) in [
        ("{}", (422, "validation_failed")),
        ("null", (422, "validation_failed")),
        (r#"{"new_password":"x","a":1}"#, (422, "validation_failed")),
        (
            r#"{"new_password":"seven grey herons wait in rain"}"#,
            (403, "chosen_password_disabled"),
        ),
    ] {
        let answer = send(body).await;
        assert_eq!((answer.status, answer.code().as_str()), expected, "{body}");
    }
}

#[actix_web::test]
async fn the_new_password_must_differ_from_the_current_one() {
    let alice = alice().await;
    let pair = alice.app.user("bob").await;
    let unchanged = alice.change_password(&pair, PASSWORD, PASSWORD).await;
    assert_eq!(outcome(&unchanged), (422, "password_unchanged".to_owned()));
    assert_eq!(unchanged.body["errors"][0]["field"], "new_password");
    assert_eq!(alice.app.me_code(&pair).await, "accepted");
}
