//! The contract of [`Sessions::revoke_sessions`](domain::ports::Sessions::force_out).

use super::support::{Everything, change_roles, liveness, logged_in, opened, put, somebody_who_may, trail};
use crate::{
    Storage,
    fixtures::{a_role, a_session, a_user, at, context, identity, role_change},
};
use domain::{
    audit::{AuditAction, AuditEvent},
    authority::Denied,
    ports::{RevokeSessions, SessionsRevoked},
    role::Permission,
    session::{EndReason, Liveness},
    token::TokenIdentity,
    user::User,
};

async fn revoke_sessions(
    storage: &Storage,
    user: &User,
    authorized_by: Option<TokenIdentity>,
) -> SessionsRevoked {
    let force = RevokeSessions {
        user: user.id,
        authorized_by,
    };
    storage
        .sessions
        .revoke_sessions(force, context(at(10)))
        .await
        .expect("storage answers")
}

/// # Panics
/// When the storage breaks the contract.
pub async fn all_live_sessions_are_ended_and_the_event_is_written_in_any_case(storage: &Storage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    for count in [2, 0] {
        assert_eq!(
            revoke_sessions(storage, &alice, None).await,
            SessionsRevoked::Now(count)
        );
        let event = AuditEvent::on(AuditAction::AllSessionsEnded, alice.id)
            .with("count", count)
            .with("forced", true);
        assert_eq!(
            trail(storage, &alice).await.pop().map(|row| row.event),
            Some(event)
        );
    }
    let ended = Liveness::Ended(EndReason::SessionsRevoked);
    assert_eq!(liveness(storage, one.id, at(11)).await, ended);
    assert_eq!(liveness(storage, two.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_is_forced_out_who_never_was(storage: &Storage) {
    let nobody = a_user("nobody").registered_at(at(0));
    assert_eq!(
        revoke_sessions(storage, &nobody, None).await,
        SessionsRevoked::NoSuchUser
    );
    assert!(trail(storage, &nobody).await.is_empty());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_is_forced_out_without_the_right(storage: &Storage) {
    let (guard, session) = somebody_who_may(storage, "guard", &["sessions:revoke"]).await;
    let (alice, of_alice) = logged_in(storage, "alice").await;
    let by = identity(&guard, &session);
    put(storage, a_role("of-guard", &["users:write"])).await;
    let lacking = Denied::Forbidden(Permission::SESSIONS_REVOKE);
    assert_denied(storage, &alice, by, lacking).await;
    put(storage, a_role("of-guard", &["sessions:revoke"])).await;
    change_roles(storage, role_change(alice.id, &["admin"])).await;
    assert_denied(storage, &alice, by, Denied::OutOfReach).await;
    change_roles(storage, role_change(guard.id, &["of-guard"])).await;
    assert_denied(storage, &alice, by, Denied::Stale).await;
    let own = revoke_sessions(storage, &alice, Some(identity(&alice, &of_alice))).await;
    assert_eq!(
        own,
        SessionsRevoked::Denied(Denied::Stale),
        "the roles have changed since"
    );
}

async fn assert_denied(storage: &Storage, user: &User, by: TokenIdentity, denied: Denied) {
    let before = Everything::of(storage, user, &[]).await;
    let answer = revoke_sessions(storage, user, Some(by)).await;
    assert_eq!(answer, SessionsRevoked::Denied(denied));
    assert_eq!(Everything::of(storage, user, &[]).await, before);
}
