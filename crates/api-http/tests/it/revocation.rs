//! Every row of the revocation table, observed over HTTP.

use crate::app::{NEW_PASSWORD, PASSWORD, Pair, TestApp, app};
use chrono::Duration;
use domain::user::UserStatus;
use serde_json::json;

/// Uses a session's access token and refresh token, and returns both results.
async fn left(app: &TestApp, pair: &Pair) -> (String, String) {
    (app.me_code(pair).await, app.refresh_code(pair).await)
}

fn codes(access: &str, refresh: &str) -> (String, String) {
    (access.to_owned(), refresh.to_owned())
}

/// Opens two sessions of one user, and one of another user that must not be affected.
async fn sessions() -> (TestApp, Pair, Pair, Pair) {
    let app = app();
    let first = app.user("alice").await;
    let second = app.log_in("alice").await;
    let stranger = app.user("stranger").await;
    (app, first, second, stranger)
}

#[actix_web::test]
async fn logout_ends_only_this_session() {
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
async fn logout_by_refresh_token_ends_only_its_session() {
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
async fn logout_everywhere_ends_all_sessions_of_the_user() {
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
async fn a_role_change_makes_tokens_outdated_and_ends_sessions() {
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
async fn kept_sessions_survive_a_role_change_with_the_new_roles() {
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
async fn a_password_change_ends_all_sessions_but_the_new_one() {
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
async fn disabling_a_user_ends_all_sessions_and_enabling_restores_none() {
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
async fn a_reused_refresh_token_ends_only_its_session() {
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
