//! The contract of [`SessionSnapshots`](domain::ports::SessionSnapshots).

use super::support::{
    allowed, applied, done, end_of, found, idle_until, logged_in, logged_out, opened, registered, set_status,
    snapshot, user_now,
};
use crate::{
    CoreStorage,
    fixtures::{a_session, a_user, account, an_admin, at, context, identity, role_change, role_names},
};
use domain::{
    caller::SessionSnapshot,
    changes::{AssignRoles, ChangePassword, DeleteUser, EndSession, EndSessions},
    role::Permissions,
    session::{EndReason, Generation, Lifetime, Liveness, NewSession, Rotation, SessionId},
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};
use std::sync::Arc;
use tokio::sync::watch;

contract! {
    /// One named test for each case of the contract of
    /// [`SessionSnapshots`](domain::ports::SessionSnapshots).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    session_snapshots_contract = storage_cases for session_snapshots(CoreStorage):
        a_snapshot_shows_the_session_its_user_and_their_permissions,
        permissions_are_those_of_all_roles_together,
        sessions_that_ended_or_expired_are_shown_as_such,
        a_session_that_was_never_stored_has_no_snapshot,
        a_snapshot_shows_every_change_of_the_user_that_has_returned,
        a_snapshot_shows_every_change_of_the_session_that_has_returned,
        a_snapshot_is_of_one_instant,
        a_token_is_refused_only_by_the_current_state,
}

/// Gives `user` exactly `roles`, and keeps their sessions.
async fn assign(storage: &CoreStorage, user: &User, roles: &[&str], second: i64) -> User {
    let keep = AssignRoles {
        keep_sessions: true,
        ..role_change(user.id, roles)
    };
    done(Ok(applied(storage, Arc::new(keep), context(at(second))).await))
}

async fn a_snapshot_shows_the_session_its_user_and_their_permissions(storage: &CoreStorage) {
    let admin = registered(storage, an_admin("Root")).await;
    let session = opened(storage, &admin, a_session(admin.id, at(1))).await;
    let expected = SessionSnapshot {
        session: session.id,
        lifetime: Lifetime {
            created_at: session.created_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
            ended: None,
        },
        user: user_now(storage, &admin).await,
        permissions: allowed("admin"),
    };
    assert_eq!(snapshot(storage, session.id).await, expected);
}

async fn permissions_are_those_of_all_roles_together(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "alice").await;
    for (roles, permissions) in [
        (&["admin", "user"][..], allowed("admin")),
        (&["admin"], allowed("admin")),
        (&["user"], allowed("user")),
        (&[], Permissions::new()),
    ] {
        assign(storage, &alice, roles, 2).await;
        let snapshot = snapshot(storage, session.id).await;
        assert_eq!(
            (snapshot.user.roles, snapshot.permissions),
            (role_names(roles), permissions)
        );
    }
}

async fn sessions_that_ended_or_expired_are_shown_as_such(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let idle = idle_until(at(10), a_session(alice.id, at(2)));
    opened(storage, &alice, idle.clone()).await;
    let reused = EndSession {
        reason: EndReason::RefreshTokenReused,
        ..end_of(&session)
    };
    applied(storage, Arc::new(reused), context(at(3))).await;
    let ended = snapshot(storage, session.id).await.lifetime;
    assert_eq!(ended.at(at(10)), Liveness::Ended(EndReason::RefreshTokenReused));
    let expired = snapshot(storage, idle.id).await.lifetime;
    assert_eq!(expired.at(at(10)), Liveness::Expired);
}

async fn a_session_that_was_never_stored_has_no_snapshot(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never_stored = a_session(alice.id, at(1)).id;
    let snapshot = storage.snapshots.snapshot(never_stored).await;
    assert_eq!(snapshot.expect("storage answers"), None);
}

async fn a_snapshot_shows_every_change_of_the_user_that_has_returned(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let before = snapshot(storage, session.id).await;
    let changed = assign(storage, &alice, &[], 2).await;
    let now = snapshot(storage, session.id).await;
    assert_ne!(now.user, before.user);
    assert_eq!(now.user, changed);

    let change = ChangePassword {
        authorized_by: identity(&now.user, &session),
        hash: a_user("alice").hash,
        session: a_session(alice.id, at(3)),
    };
    let new = change.session.id;
    let changed = done(Ok(applied(storage, Arc::new(change), context(at(3))).await));
    let [of_old, of_new] = [snapshot(storage, session.id).await, snapshot(storage, new).await];
    assert_eq!(of_old.lifetime.ended, Some(EndReason::PasswordChanged));
    assert_eq!(of_new.lifetime.ended, None);
    assert_eq!(of_new.user, changed);

    let disable = set_status(alice.id, UserStatus::Disabled);
    let changed = done(Ok(applied(storage, disable, context(at(4))).await));
    assert_eq!(snapshot(storage, new).await.user, changed);

    let delete = Arc::new(DeleteUser(account(alice.id)));
    applied(storage, delete, context(at(5))).await;
    let gone = storage.snapshots.snapshot(new).await;
    assert_eq!(gone.expect("storage answers"), None);
}

async fn a_snapshot_shows_every_change_of_the_session_that_has_returned(storage: &CoreStorage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let lifetime = async || snapshot(storage, session.id).await.lifetime;
    assert_ne!(lifetime().await.idle_expires_at, at(500));
    rotate_until(storage, &session, 500).await;
    assert_eq!(lifetime().await.idle_expires_at, at(500));
    assert_eq!(lifetime().await.ended, None);
    let end_all = EndSessions {
        user: alice.id,
        reason: EndReason::LoggedOut,
    };
    applied(storage, Arc::new(end_all), context(at(6))).await;
    assert_eq!(lifetime().await.ended, Some(EndReason::LoggedOut));
}

/// Rotates `session` from its first generation at second 5, so that it expires at `second` for lack
/// of use.
async fn rotate_until(storage: &CoreStorage, session: &NewSession, second: i64) {
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(5),
        idle_until: at(second),
    };
    storage.sessions.rotate(rotation).await.expect("storage answers");
}

async fn a_snapshot_is_of_one_instant(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "alice").await;
    let (running, watch) = watch::channel(());
    let reader = {
        let storage = storage.clone();
        tokio::spawn(async move {
            // Until the writer is done, or has failed.
            while watch.has_changed().is_ok() {
                assert_admin_at_odd_epochs(&storage, session.id, alice.epoch).await;
            }
        })
    };
    for turn in 0..50 {
        let role = if turn % 2 == 0 { "admin" } else { "user" };
        assign(storage, &alice, &[role], 2).await;
        assert_admin_at_odd_epochs(storage, session.id, alice.epoch).await;
    }
    drop(running);
    reader.await.expect("every read was of one instant");
}

/// The user is an admin after an odd number of changes since `first`, and a plain user after an
/// even one.
async fn assert_admin_at_odd_epochs(storage: &CoreStorage, session: SessionId, first: Epoch) {
    let role_at = |epoch: Epoch| {
        if (epoch.0 - first.0) % 2 == 0 {
            "user"
        } else {
            "admin"
        }
    };

    let snapshot = snapshot(storage, session).await;
    let role = role_at(snapshot.user.epoch);
    assert_eq!(snapshot.user.roles, role_names(&[role]), "{snapshot:?}");
    assert_eq!(snapshot.permissions, allowed(role), "{snapshot:?}");

    let holder = found(storage, session).await.holder;
    assert_eq!(holder.roles, role_names(&[role_at(holder.epoch)]), "{holder:?}");
}

async fn a_token_is_refused_only_by_the_current_state(storage: &CoreStorage) {
    let alice = registered(storage, a_user("alice")).await;
    let short = idle_until(at(10), a_session(alice.id, at(1)));
    let session = opened(storage, &alice, short).await;
    let first = identity(&alice, &session);
    assert!(is_accepted(storage, first, 2).await);

    // A refresh carries the new epoch, and later the session's new end.
    let changed = assign(storage, &alice, &[], 3).await;
    let second = identity(&changed, &session);
    assert!(is_accepted(storage, second, 4).await);
    assert!(!is_accepted(storage, first, 4).await);
    rotate_until(storage, &session, 500).await;
    assert!(is_accepted(storage, second, 20).await);

    logged_out(storage, &session, 21).await;
    assert!(!is_accepted(storage, second, 21).await);
}

/// Whether a token of `identity` is accepted. If not, the snapshot that refuses it is the current
/// one.
async fn is_accepted(storage: &CoreStorage, identity: TokenIdentity, second: i64) -> bool {
    let for_token = storage.snapshots.snapshot_for(identity, at(second)).await;
    let for_token = for_token.expect("storage answers").expect("a session");
    let is_accepted = for_token.is_valid_for(identity, at(second));
    if !is_accepted {
        assert_eq!(*for_token, snapshot(storage, identity.session).await);
    }
    is_accepted
}
