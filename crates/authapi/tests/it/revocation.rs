//! Revocations: every row of the table in `docs/tokens.md`, on a real database.

use crate::{
    client::{Client, NEW_PASSWORD, PASSWORD, Pair},
    server::{Place, Server},
};
use serde_json::json;

fn codes(access: &str, refresh: &str) -> (String, String) {
    (access.to_owned(), refresh.to_owned())
}

fn alive() -> (String, String) {
    codes("accepted", "accepted")
}

/// Two sessions of one user, and one session of another user, which must stay valid.
struct Cast {
    server: Server,
    client: Client,
    first: Pair,
    second: Pair,
    stranger: Pair,
}

impl Cast {
    async fn new() -> Self {
        Self::at(Place::new()).await
    }

    async fn at(place: Place) -> Self {
        let server = place.start();
        let client = server.client();
        Self {
            first: client.user("alice").await,
            second: client.session("alice").await,
            stranger: client.user("stranger").await,
            server,
            client,
        }
    }

    async fn check(&self, first: (String, String), second: (String, String)) {
        assert_eq!(
            self.client.token_codes(&self.first).await,
            first,
            "the first session"
        );
        assert_eq!(
            self.client.token_codes(&self.second).await,
            second,
            "the second session"
        );
        assert_eq!(
            self.client.token_codes(&self.stranger).await,
            alive(),
            "the session of the other user"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_ends_this_session_and_no_other() {
    let cast = Cast::new().await;
    assert_eq!(cast.client.log_out(&cast.first.access).await.status, 204);
    cast.check(codes("token_revoked", "session_revoked"), alive())
        .await;
    assert_eq!(
        cast.client.log_out(&cast.first.access).await.code(),
        "token_revoked"
    );
    assert_eq!(
        cast.client.log_out(&cast.first.refresh).await.code(),
        "session_revoked"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_by_refresh_token_ends_its_session_and_no_other() {
    let cast = Cast::new().await;
    assert_eq!(cast.client.log_out(&cast.first.refresh).await.status, 204);
    cast.check(codes("token_revoked", "session_revoked"), alive())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logout_everywhere_by_either_token_ends_all_sessions_of_the_user() {
    for by_refresh in [false, true] {
        let cast = Cast::new().await;
        let token = if by_refresh {
            &cast.first.refresh
        } else {
            &cast.first.access
        };
        let call = cast.client.post("/logout?everywhere=true").bearer(token);
        assert_eq!(call.send().await.status, 204);
        let ended = codes("token_revoked", "session_revoked");
        cast.check(ended.clone(), ended).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_roles_revokes_all_sessions() {
    let cast = Cast::new().await;
    let call = cast.client.put("/roles/update").bearer(&cast.first.access);
    assert_eq!(call.json(&json!({"new_roles": []})).send().await.status, 200);
    let ended = codes("token_outdated", "session_revoked");
    cast.check(ended.clone(), ended).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_change_by_an_admin_ends_the_tokens_of_the_user_and_not_of_the_admin() {
    let cast = Cast::at(Place::new().with_admin("root")).await;
    let root = cast.client.session("root").await;
    let call = cast.client.assigning(&root.access, "alice", &["admin"], false);
    assert_eq!(call.send().await.status, 200);
    let ended = codes("token_outdated", "session_revoked");
    cast.check(ended.clone(), ended).await;
    assert_eq!(cast.client.token_codes(&root).await, alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn kept_sessions_survive_a_role_change_with_the_new_roles() {
    let cast = Cast::new().await;
    let call = cast.client.put("/roles/update").bearer(&cast.first.access);
    let kept = call
        .json(&json!({"new_roles": [], "keep_sessions": true}))
        .send()
        .await;
    assert_eq!(kept.status, 200);
    for pair in [&cast.first, &cast.second] {
        assert_eq!(cast.client.me_code(&pair.access).await, "token_outdated");
        let refreshed = cast.client.refresh(&pair.refresh).await.pair();
        assert_eq!(cast.client.me(&refreshed.access).await.body["roles"], json!([]));
    }
    assert_eq!(cast.client.token_codes(&cast.stranger).await, alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_revokes_all_sessions_except_the_new_one() {
    let cast = Cast::new().await;
    let call = cast
        .client
        .changing_password(&cast.first.access, PASSWORD, NEW_PASSWORD);
    let fresh = call.send().await.pair();
    let ended = codes("token_outdated", "session_revoked");
    cast.check(ended.clone(), ended).await;
    assert_eq!(cast.client.token_codes(&fresh).await, alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn disabling_a_user_ends_all_sessions_and_enabling_restores_none() {
    let cast = Cast::new().await;
    let ended = codes("token_outdated", "session_revoked");
    for command in ["disable", "enable"] {
        let arguments = ["users", command, "--login", "alice"];
        cast.server.place().command_succeeds(&arguments, "");
        cast.check(ended.clone(), ended.clone()).await;
        if command == "disable" {
            let refused = cast.client.logging_in("alice", PASSWORD).send().await;
            assert_eq!(refused.code(), "invalid_credentials");
        }
    }
    let again = cast.client.session("alice").await;
    assert_eq!(cast.client.token_codes(&again).await, alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reused_refresh_token_ends_its_session_and_no_other() {
    let cast = Cast::at(Place::new().with("TOKENS__REFRESH_GRACE", "0s")).await;
    let newer = cast.client.refresh(&cast.first.refresh).await.pair();
    assert_eq!(
        cast.client.refresh_code(&cast.first.refresh).await,
        "refresh_token_reused"
    );
    assert_eq!(
        cast.client.token_codes(&newer).await,
        codes("token_revoked", "session_revoked")
    );
    cast.check(codes("token_revoked", "session_revoked"), alive())
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_with_a_reused_refresh_token_is_rejected_and_ends_the_session() {
    let cast = Cast::at(Place::new().with("TOKENS__REFRESH_GRACE", "0s")).await;
    let newer = cast.client.refresh(&cast.first.refresh).await.pair();
    assert_eq!(
        cast.client.log_out(&cast.first.refresh).await.code(),
        "refresh_token_reused"
    );
    assert_eq!(
        cast.client.token_codes(&newer).await,
        codes("token_revoked", "session_revoked")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn within_the_grace_window_a_repeated_refresh_gets_the_current_token() {
    let server = Place::new().with("TOKENS__REFRESH_GRACE", "1m").start();
    let client = server.client();
    let first = client.user("alice").await;
    let second = client.refresh(&first.refresh).await.pair();
    let repeated = client.refresh(&first.refresh).await.pair();
    assert_eq!(repeated.refresh, second.refresh);
    assert_ne!(repeated.access, second.access);
    for pair in [&first, &second, &repeated] {
        assert_eq!(client.me_code(&pair.access).await, "accepted");
    }
    let third = client.refresh(&second.refresh).await.pair();
    for older in [&first, &second] {
        let repeated = client.refresh(&older.refresh).await.pair();
        assert_eq!(repeated.refresh, third.refresh);
    }
    assert_eq!(client.token_codes(&third).await, alive());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_over_the_session_limit_ends_the_oldest_session() {
    let server = Place::new().with("TOKENS__MAX_SESSIONS_PER_USER", "3").start();
    let client = server.client();
    let oldest = client.user("alice").await;
    let mut younger = vec![client.session("alice").await, client.session("alice").await];
    assert_eq!(client.me_code(&oldest.access).await, "accepted");
    younger.push(client.session("alice").await);
    assert_eq!(
        client.token_codes(&oldest).await,
        codes("token_revoked", "session_revoked")
    );
    for pair in &younger {
        assert_eq!(client.token_codes(pair).await, alive());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_and_valid_sessions_stay_so_after_a_restart() {
    let cast = Cast::new().await;
    assert_eq!(cast.client.log_out(&cast.first.access).await.status, 204);
    let server = cast.server.terminate().place.start();
    let client = server.client();
    // The issuer derives from the configured address, which does not change.
    assert_eq!(
        client.token_codes(&cast.first).await,
        codes("token_revoked", "session_revoked")
    );
    assert_eq!(client.token_codes(&cast.second).await, alive());
}
