//! The contract of [`AuditTrail`](domain::ports::AuditTrail): one row for each method that takes a
//! [`Stamp`] and changed something, and what stands in it.

use super::support::{PLENTY, logged_in, registered, trail, user_now};
use crate::{
    Storage,
    fixtures::{a_session, a_user, an_admin, at, role_names, vouched},
};
use domain::{
    audit::{Actor, AuditAction, AuditRecord, Origin, Stamp},
    ports::{ChangePassword, ChangeRoles},
    session::{EndReason, NewSession, SessionId},
    user::{User, UserId, UserStatus},
};

/// Stamps that differ in everything, by `turn`.
fn stamp(turn: i64, by: UserId) -> Stamp {
    let (actor, address, request_id) = match turn % 3 {
        0 => (Actor::Anonymous, Some("192.0.2.7"), Some("it's \"one\"; — ½ 🦀")),
        1 => (Actor::User(by), Some("2001:db8::7"), None),
        _ => (Actor::Operator, None, Some("request-3")),
    };
    Stamp {
        at: at(turn),
        actor,
        origin: Origin {
            address: address.and_then(|text| text.parse().ok()),
            user_agent: None,
            request_id: request_id.map(ToOwned::to_owned),
        },
    }
}

fn row(turn: i64, by: UserId, action: AuditAction, user: UserId, session: Option<SessionId>) -> AuditRecord {
    let stamp = stamp(turn, by);
    AuditRecord {
        at: stamp.at,
        action,
        actor: stamp.actor,
        user,
        session,
        address: stamp.origin.address,
        request_id: stamp.origin.request_id,
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn sessions_leave_a_row_for_each_event(storage: &Storage) {
    let by = registered(storage, an_admin("root")).await.id;
    for turn in 20..23 {
        let (alice, _) = logged_in(storage, &format!("alice{turn}")).await;
        let [one, two] = open_and_end_sessions(storage, &alice, turn, by).await.map(Some);
        let expected: Vec<_> = [
            (AuditAction::LoggedIn, one),
            (AuditAction::LoggedIn, two),
            (AuditAction::SessionEnded, one),
            (AuditAction::RefreshTokenReused, two),
            (AuditAction::AllSessionsEnded, None),
        ]
        .into_iter()
        .zip(turn..)
        .map(|((action, id), turn)| row(turn, by, action, alice.id, id))
        .collect();
        let rows = trail(storage, &alice).await;
        assert_eq!(
            rows.get(2..),
            Some(expected.as_slice()),
            "oldest first, after registration and login"
        );
    }
}

/// Opens two sessions, ends each and then all, one step a second from `turn` on; the two.
async fn open_and_end_sessions(storage: &Storage, user: &User, turn: i64, by: UserId) -> [SessionId; 2] {
    let sessions = [a_session(user.id, at(turn)), a_session(user.id, at(turn + 1))];
    let ids = sessions.each_ref().map(|session| session.id);
    for (session, turn) in sessions.into_iter().zip(turn..) {
        storage
            .sessions
            .open(session, user.epoch, PLENTY, stamp(turn, by))
            .await
            .expect("storage answers");
    }
    let reasons = [EndReason::LoggedOut, EndReason::RefreshTokenReused];
    for ((id, reason), turn) in ids.into_iter().zip(reasons).zip(turn + 2..) {
        storage
            .sessions
            .end(id, user.id, reason, stamp(turn, by))
            .await
            .expect("storage answers");
    }
    storage
        .sessions
        .end_all(user.id, EndReason::LoggedOut, stamp(turn + 4, by))
        .await
        .expect("storage answers");
    ids
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_registration_leaves_a_row(storage: &Storage) {
    let by = registered(storage, an_admin("root")).await.id;
    for turn in 0..3 {
        let new = a_user(&format!("alice{turn}"));
        let user = new.registered_at(at(turn));
        storage
            .users
            .insert(new, stamp(turn, by))
            .await
            .expect("storage answers");
        let expected = row(turn, by, AuditAction::UserRegistered, user.id, None);
        assert_eq!(trail(storage, &user).await, [expected]);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn users_leave_a_row_for_each_change(storage: &Storage) {
    let by = registered(storage, an_admin("root")).await.id;
    for turn in 10..13 {
        let (alice, opened) = logged_in(storage, &format!("alice{turn}")).await;
        let session = change_everything(storage, &alice, &opened, turn, by).await;
        let expected: Vec<_> = [
            (AuditAction::RolesChanged, None),
            (AuditAction::PasswordChanged, Some(session)),
            (AuditAction::UserDisabled, None),
            (AuditAction::UserEnabled, None),
        ]
        .into_iter()
        .zip(turn..)
        .map(|((action, id), turn)| row(turn, by, action, alice.id, id))
        .collect();
        let rows = trail(storage, &alice).await;
        assert_eq!(
            rows.get(2..),
            Some(expected.as_slice()),
            "oldest first, after registration and login"
        );
    }
}

/// Roles, password and status, one a second from `turn` on; the session that the new password opened.
async fn change_everything(
    storage: &Storage,
    user: &User,
    opened: &NewSession,
    turn: i64,
    by: UserId,
) -> SessionId {
    let roles = ChangeRoles {
        user: user.id,
        roles: role_names(&["admin"]),
        keep_sessions: true,
        only_while: None,
    };
    storage
        .users
        .change_roles(roles, stamp(turn, by))
        .await
        .expect("storage answers");
    let password = ChangePassword {
        only_while: vouched(&user_now(storage, user).await, opened),
        hash: a_user("alice").hash,
        session: a_session(user.id, at(turn + 1)),
    };
    let session = password.session.id;
    storage
        .users
        .change_password(password, stamp(turn + 1, by))
        .await
        .expect("storage answers");
    for (status, later) in [(UserStatus::Disabled, 2), (UserStatus::Active, 3)] {
        storage
            .users
            .set_status(user.id, status, stamp(turn + later, by))
            .await
            .expect("storage answers");
    }
    session
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_that_makes_room_leaves_no_row_of_its_own(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let session = a_session(alice.id, at(2));
    let id = session.id;
    storage
        .sessions
        .open(session, alice.epoch, 1, stamp(3, alice.id))
        .await
        .expect("storage answers");
    let rows = trail(storage, &alice).await;
    let login = row(3, alice.id, AuditAction::LoggedIn, alice.id, Some(id));
    assert_eq!(rows.get(2..), Some([login].as_slice()));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_trail_is_of_one_user(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let (bob, _) = logged_in(storage, "bob").await;
    for user in [&alice, &bob] {
        let rows = trail(storage, user).await;
        assert_eq!(rows.len(), 2);
        assert!(rows.iter().all(|row| row.user == user.id), "{rows:?}");
    }
    let nobody = a_user("nobody").registered_at(at(0));
    assert_eq!(trail(storage, &nobody).await, []);
}
