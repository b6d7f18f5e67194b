//! What stands in the [`AuditLog`](domain::ports::AuditTrail): one event for each method that takes a [`AuditContext`] and changed
//! something.

use super::support::{PLENTY, logged_in, registered, trail, user_now};
use crate::{
    Storage,
    fixtures::{a_session, a_user, administer, an_admin, at, identity, role_change},
};
use domain::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, AuditRecord, Origin},
    ports::{ChangePassword, ChangeRoles},
    session::{EndReason, NewSession, SessionId},
    user::{User, UserId, UserStatus},
};

/// Stamps that differ in everything, by `turn`.
fn context(turn: i64, by: UserId) -> AuditContext {
    let (actor, address, user_agent, request_id) = match turn % 3 {
        0 => (
            Actor::Anonymous,
            Some("192.0.2.7"),
            None,
            Some("it's \"one\"; — ½ 🦀"),
        ),
        1 => (
            Actor::User(by),
            Some("2001:db8::7"),
            Some("a 'browser' \"2\" \\ 日本語"),
            None,
        ),
        _ => (Actor::Operator, None, Some(""), Some("request-3")),
    };
    AuditContext {
        at: at(turn),
        actor,
        origin: Origin {
            address: address.and_then(|text| text.parse().ok()),
            user_agent: user_agent.map(ToOwned::to_owned),
            request_id: request_id.map(ToOwned::to_owned),
        },
    }
}

/// That `events` stand in `rows`, one a second from `turn` on, and nothing else.
fn assert_are(rows: &[AuditRecord], events: Vec<AuditEvent>, turn: i64, by: UserId) {
    let expected: Vec<_> = events
        .into_iter()
        .zip(turn..)
        .map(|(event, turn)| (event, context(turn, by)))
        .collect();
    let stored: Vec<_> = rows
        .iter()
        .map(|row| {
            let context = AuditContext {
                at: row.at,
                actor: row.actor,
                origin: row.origin.clone(),
            };
            (row.event.clone(), context)
        })
        .collect();
    assert_eq!(stored, expected);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn sessions_leave_a_row_for_each_event(storage: &Storage) {
    let by = registered(storage, an_admin("root")).await.id;
    for turn in 20..23 {
        let (alice, _) = logged_in(storage, &format!("alice{turn}")).await;
        let [one, two] = open_and_end_sessions(storage, &alice, turn, by).await;
        let on = |action| AuditEvent::on(action, alice.id);
        let expected = vec![
            on(AuditAction::LoggedIn).in_session(one),
            on(AuditAction::LoggedIn).in_session(two),
            on(AuditAction::SessionEnded).in_session(one),
            on(AuditAction::RefreshTokenReused).in_session(two),
            on(AuditAction::AllSessionsEnded).with("count", 1),
        ];
        let rows = trail(storage, &alice).await;
        let (before, rows) = rows.split_at(2);
        assert_eq!(
            before.iter().map(|row| row.event.action).collect::<Vec<_>>(),
            [AuditAction::UserRegistered, AuditAction::LoggedIn]
        );
        assert_are(rows, expected, turn, by);
    }
}

/// Opens two sessions, ends each and then all, one step a second from `turn` on; the two.
async fn open_and_end_sessions(storage: &Storage, user: &User, turn: i64, by: UserId) -> [SessionId; 2] {
    let sessions = [a_session(user.id, at(turn)), a_session(user.id, at(turn + 1))];
    let ids = sessions.each_ref().map(|session| session.id);
    for (session, turn) in sessions.into_iter().zip(turn..) {
        storage
            .sessions
            .open(session, user.epoch, PLENTY, context(turn, by))
            .await
            .expect("storage answers");
    }
    let reasons = [EndReason::LoggedOut, EndReason::RefreshTokenReused];
    for ((id, reason), turn) in ids.into_iter().zip(reasons).zip(turn + 2..) {
        storage
            .sessions
            .end(id, user.id, reason, context(turn, by))
            .await
            .expect("storage answers");
    }
    storage
        .sessions
        .end_all(user.id, EndReason::LoggedOut, context(turn + 4, by))
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
            .insert(new, context(turn, by))
            .await
            .expect("storage answers");
        let expected = AuditEvent::on(AuditAction::UserRegistered, user.id).with("roles", "user");
        assert_are(&trail(storage, &user).await, vec![expected], turn, by);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn users_leave_a_row_for_each_change(storage: &Storage) {
    let by = registered(storage, an_admin("root")).await.id;
    for turn in 10..13 {
        let (alice, opened) = logged_in(storage, &format!("alice{turn}")).await;
        let session = change_everything(storage, &alice, &opened, turn, by).await;
        let on = |action| AuditEvent::on(action, alice.id);
        let expected = vec![
            on(AuditAction::RolesChanged)
                .with("before", "user")
                .with("after", "admin user")
                .with("kept_sessions", true),
            on(AuditAction::PasswordChanged).in_session(session),
            on(AuditAction::UserDisabled),
            on(AuditAction::UserEnabled),
            on(AuditAction::RolesChanged)
                .with("before", "admin user")
                .with("after", ""),
            on(AuditAction::PasswordReset),
            on(AuditAction::UserDeleted),
        ];
        let rows = trail(storage, &alice).await;
        assert_are(rows.split_at(2).1, expected, turn, by);
    }
}

/// Roles, password, status, roles again, a reset and the end, one a second from `turn` on; the session that the new
/// password opened.
async fn change_everything(
    storage: &Storage,
    user: &User,
    opened: &NewSession,
    turn: i64,
    by: UserId,
) -> SessionId {
    let users = &storage.users;
    let keep = ChangeRoles {
        keep_sessions: true,
        ..role_change(user.id, &["admin", "user"])
    };
    users
        .change_roles(keep, context(turn, by))
        .await
        .expect("storage answers");
    let password = ChangePassword {
        authorized_by: identity(&user_now(storage, user).await, opened),
        hash: a_user("alice").hash,
        session: a_session(user.id, at(turn + 1)),
    };
    let session = password.session.id;
    users
        .change_password(password, context(turn + 1, by))
        .await
        .expect("storage answers");
    for (status, later) in [(UserStatus::Disabled, 2), (UserStatus::Active, 3)] {
        users
            .set_status(administer(user.id), status, context(turn + later, by))
            .await
            .expect("storage answers");
    }
    users
        .change_roles(role_change(user.id, &[]), context(turn + 4, by))
        .await
        .expect("storage answers");
    users
        .reset_password(administer(user.id), a_user("alice").hash, context(turn + 5, by))
        .await
        .expect("storage answers");
    users
        .delete(administer(user.id), context(turn + 6, by))
        .await
        .expect("storage answers");
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
        .open(session, alice.epoch, 1, context(3, alice.id))
        .await
        .expect("storage answers");
    let rows = trail(storage, &alice).await;
    let login = AuditEvent::on(AuditAction::LoggedIn, alice.id).in_session(id);
    assert_are(rows.split_at(2).1, vec![login], 3, alice.id);
}
