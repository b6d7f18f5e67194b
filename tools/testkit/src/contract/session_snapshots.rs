//! The contract of [`SessionSnapshots`](domain::ports::SessionSnapshots).

use super::prelude::*;
use domain::user::Epoch;
use tokio::sync::watch;

contract! {
    /// Defines a named test for each case of the contract of
    /// [`SessionSnapshots`](domain::ports::SessionSnapshots).
    ///
    /// `$fresh` is an async function that returns a [`CoreStorage`](crate::CoreStorage) or a
    /// [`Storage`](crate::Storage) without users, and a guard that keeps it alive for the test.
    session_snapshots_contract = storage_cases for session_snapshots(CoreStorage):
        a_snapshot_shows_the_session_its_user_and_the_permissions_of_all_roles,
        a_session_that_was_never_stored_has_no_snapshot,
        a_snapshot_shows_every_change_of_the_session_that_has_returned,
        a_snapshot_is_of_one_instant,
        a_token_is_refused_only_by_the_current_state,
}

async fn a_snapshot_shows_the_session_its_user_and_the_permissions_of_all_roles(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "Alice").await;
    for (roles, permissions) in [
        (&["admin", "user"][..], allowed("admin")),
        (&["admin"], allowed("admin")),
        (&["user"], allowed("user")),
        (&[], Permissions::new()),
    ] {
        let expected = SessionSnapshot {
            session: session.id,
            lifetime: Lifetime {
                created_at: session.created_at,
                idle_expires_at: session.idle_expires_at,
                expires_at: session.expires_at,
                ended: None,
            },
            principal: changed(storage, keeping_sessions(alice.id, roles), 2)
                .await
                .into(),
            permissions,
        };
        assert_eq!(snapshot(storage, session.id).await, expected);
    }
}

async fn a_session_that_was_never_stored_has_no_snapshot(storage: &CoreStorage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never_stored = a_session(alice.id, at(1)).id;
    assert_eq!(find_snapshot(storage, never_stored).await, None);
}

async fn a_snapshot_shows_every_change_of_the_session_that_has_returned(storage: &CoreStorage) {
    let (_, session) = logged_in(storage, "alice").await;
    let lifetime = async || snapshot(storage, session.id).await.lifetime;
    assert_ne!(lifetime().await.idle_expires_at, at(1005));
    rotate(storage, &session).await;
    assert_eq!(lifetime().await.idle_expires_at, at(1005));
    assert_eq!(lifetime().await.ended, None);
    logged_out(storage, &session, 6).await;
    assert_eq!(lifetime().await.ended, Some(EndReason::LoggedOut));
}

/// Rotates `session` from its first generation, which moves the end of its idle timeout to second
/// 1005.
async fn rotate(storage: &CoreStorage, session: &NewSession) {
    let rotation = rotation(session, 0, at(5));
    storage
        .sessions
        .rotate(rotation)
        .await
        .expect("storage is available");
}

async fn a_snapshot_is_of_one_instant(storage: &CoreStorage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "alice").await;
    let (running, watch) = watch::channel(());
    let reader = {
        let storage = storage.clone();
        tokio::spawn(async move {
            // This runs until the writer returns or panics.
            while watch.has_changed().is_ok() {
                assert_admin_at_odd_epochs(&storage, session.id, alice.epoch).await;
            }
        })
    };
    for turn in 0..50 {
        let role = if turn % 2 == 0 { "admin" } else { "user" };
        changed(storage, keeping_sessions(alice.id, &[role]), 2).await;
        assert_admin_at_odd_epochs(storage, session.id, alice.epoch).await;
    }
    drop(running);
    reader.await.expect("every snapshot is of one instant");
}

/// Asserts that the user is an admin after an odd number of changes since `first`, and a plain user
/// after an even number.
async fn assert_admin_at_odd_epochs(storage: &CoreStorage, session: SessionId, first: Epoch) {
    let role_at = |epoch: Epoch| {
        if (epoch.0 - first.0) % 2 == 0 {
            "user"
        } else {
            "admin"
        }
    };

    let snapshot = snapshot(storage, session).await;
    let role = role_at(snapshot.principal.epoch());
    assert_eq!(*snapshot.principal.roles(), role_names(&[role]), "{snapshot:?}");
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

    let alice = changed(storage, keeping_sessions(alice.id, &[]), 3).await;
    let second = identity(&alice, &session);
    assert!(is_accepted(storage, second, 4).await);
    assert!(!is_accepted(storage, first, 4).await);
    rotate(storage, &session).await;
    assert!(is_accepted(storage, second, 20).await);

    logged_out(storage, &session, 21).await;
    assert!(!is_accepted(storage, second, 21).await);
}

/// Returns whether a token of `identity` is accepted. Asserts that only the current snapshot
/// rejects a token.
async fn is_accepted(storage: &CoreStorage, identity: TokenIdentity, second: i64) -> bool {
    let for_token = storage.snapshots.snapshot_for(identity, at(second)).await;
    let for_token = for_token
        .expect("storage is available")
        .expect("the session exists");
    let is_accepted = for_token.is_valid_for(identity, at(second));
    if !is_accepted {
        assert_eq!(*for_token, snapshot(storage, identity.session).await);
    }
    is_accepted
}
