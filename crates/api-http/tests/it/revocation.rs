//! What revokes what: every row of the table, seen from outside.

use crate::app::{NEW_PASSWORD, PASSWORD, Pair, TestApp, app};
use chrono::Duration;
use domain::user::UserStatus;
use serde_json::json;

/// What is left of a session: how its access token and its refresh token are answered.
async fn left(app: &TestApp, pair: &Pair) -> (String, String) {
    (app.me_code(pair).await, app.refresh_code(pair).await)
}

fn codes(access: &str, refresh: &str) -> (String, String) {
    (access.to_owned(), refresh.to_owned())
}

/// Two sessions of one user, and one of somebody else whom nothing may touch.
async fn sessions() -> (TestApp, Pair, Pair, Pair) {
    let app = app();
    let first = app.user("alice").await;
    let second = app.log_in("alice").await;
    let stranger = app.user("stranger").await;
    (app, first, second, stranger)
}

#[actix_web::test]
async fn logout_ends_this_session_and_no_other() {
    let (app, first, second, stranger) = sessions().await;
    assert_eq!(app.post("/logout").bearer(&first.access).send().await.status, 204);
    assert_eq!(
        left(&app, &first).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(left(&app, &second).await, codes("accepted", "accepted"));
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
    assert_eq!(
        app.post("/logout").bearer(&first.access).send().await.code(),
        "token_revoked"
    );
    assert_eq!(
        app.post("/logout").bearer(&first.refresh).send().await.code(),
        "session_revoked"
    );
}

#[actix_web::test]
async fn logout_by_refresh_token_does_the_same() {
    let (app, first, second, _) = sessions().await;
    assert_eq!(
        app.post("/logout").bearer(&first.refresh).send().await.status,
        204
    );
    assert_eq!(
        left(&app, &first).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(left(&app, &second).await, codes("accepted", "accepted"));
}

#[actix_web::test]
async fn logout_everywhere_ends_all_of_the_users_sessions() {
    let (app, first, second, stranger) = sessions().await;
    assert_eq!(
        app.post("/logout?everywhere=true")
            .bearer(&first.access)
            .send()
            .await
            .status,
        204
    );
    assert_eq!(
        left(&app, &first).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(
        left(&app, &second).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
}

#[actix_web::test]
async fn changed_roles_end_everything_and_are_told_as_such() {
    let (app, first, second, stranger) = sessions().await;
    let body = json!({"new_roles": []});
    assert_eq!(
        app.put("/roles/update")
            .bearer(&first.access)
            .json(&body)
            .send()
            .await
            .status,
        200
    );
    assert_eq!(
        left(&app, &first).await,
        codes("token_outdated", "session_revoked")
    );
    assert_eq!(
        left(&app, &second).await,
        codes("token_outdated", "session_revoked")
    );
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
}

#[actix_web::test]
async fn kept_sessions_outlive_a_change_of_roles_and_carry_the_new_ones() {
    let (app, first, second, _) = sessions().await;
    let body = json!({"new_roles": [], "keep_sessions": true});
    assert_eq!(
        app.put("/roles/update")
            .bearer(&first.access)
            .json(&body)
            .send()
            .await
            .status,
        200
    );
    assert_eq!(app.me_code(&first).await, "token_outdated");
    assert_eq!(app.me_code(&second).await, "token_outdated");
    for pair in [first, second] {
        let refreshed = app.post("/refresh").bearer(&pair.refresh).send().await.pair();
        let me = app.get("/me").bearer(&refreshed.access).send().await;
        assert_eq!(me.body["roles"], json!([]));
    }
}

#[actix_web::test]
async fn a_changed_password_ends_everything_but_the_answer() {
    let (app, first, second, stranger) = sessions().await;
    let body = json!({"current_password": PASSWORD, "new_password": NEW_PASSWORD});
    let fresh = app
        .put("/me/password")
        .bearer(&first.access)
        .json(&body)
        .send()
        .await
        .pair();
    assert_eq!(
        left(&app, &first).await,
        codes("token_outdated", "session_revoked")
    );
    assert_eq!(
        left(&app, &second).await,
        codes("token_outdated", "session_revoked")
    );
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
    assert_eq!(left(&app, &fresh).await, codes("accepted", "accepted"));
}

#[actix_web::test]
async fn disabling_a_user_ends_everything_and_enabling_brings_nothing_back() {
    let (app, first, second, stranger) = sessions().await;
    for status in [UserStatus::Disabled, UserStatus::Active] {
        app.set_status("alice", status).await;
        assert_eq!(
            left(&app, &first).await,
            codes("token_outdated", "session_revoked")
        );
        assert_eq!(
            left(&app, &second).await,
            codes("token_outdated", "session_revoked")
        );
    }
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
    let again = app.log_in("alice").await;
    assert_eq!(app.me_code(&again).await, "accepted");
}

#[actix_web::test]
async fn a_reused_refresh_token_ends_its_session_and_no_other() {
    let (app, first, second, stranger) = sessions().await;
    let newer = app.post("/refresh").bearer(&first.refresh).send().await.pair();
    app.clock.advance(Duration::seconds(10));
    assert_eq!(app.refresh_code(&first).await, "refresh_token_reused");
    assert_eq!(
        left(&app, &newer).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(left(&app, &second).await, codes("accepted", "accepted"));
    assert_eq!(left(&app, &stranger).await, codes("accepted", "accepted"));
}
