//! The contract of [`SessionSnapshots`](domain::ports::SessionViews).

use super::support::{found, logged_in, opened, registered, user_now, viewed};
use crate::{
    Storage,
    fixtures::{a_session, a_user, administer, an_admin, at, context, identity, role_change, role_names},
};
use domain::{
    caller::SessionSnapshot,
    ports::{Administered, ChangePassword, ChangeRoles, PasswordChanged, RolesChanged},
    role::{Permissions, built_in},
    session::{EndReason, Generation, Lifetime, Liveness, NewSession, Rotation, SessionId},
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};
use tokio::sync::watch;

/// What the built-in role `name` allows.
fn allowed(name: &str) -> Permissions {
    built_in()
        .into_iter()
        .filter(|role| role.name.as_str() == name)
        .flat_map(|role| role.permissions)
        .collect()
}

fn keeping(user: &User, roles: &[&str]) -> ChangeRoles {
    ChangeRoles {
        keep_sessions: true,
        ..role_change(user.id, roles)
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_view_shows_the_session_its_user_and_what_they_may_do(storage: &Storage) {
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
    assert_eq!(viewed(storage, session.id).await, expected);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn permissions_are_those_of_all_roles_together(storage: &Storage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "alice").await;
    for (roles, permissions) in [
        (&["admin", "user"][..], allowed("admin")),
        (&["admin"], allowed("admin")),
        (&["user"], allowed("user")),
        (&[], Permissions::new()),
    ] {
        storage
            .users
            .change_roles(keeping(&alice, roles), context(at(2)))
            .await
            .expect("storage answers");
        let snapshot = viewed(storage, session.id).await;
        assert_eq!(
            (snapshot.user.roles, snapshot.permissions),
            (role_names(roles), permissions)
        );
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn sessions_that_ended_or_expired_are_seen_as_such(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let idle = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(2))
    };
    opened(storage, &alice, idle.clone()).await;
    storage
        .sessions
        .end(
            session.id,
            alice.id,
            EndReason::RefreshTokenReused,
            context(at(3)),
        )
        .await
        .expect("storage answers");
    let ended = viewed(storage, session.id).await.lifetime;
    assert_eq!(ended.at(at(10)), Liveness::Ended(EndReason::RefreshTokenReused));
    let expired = viewed(storage, idle.id).await.lifetime;
    assert_eq!(expired.at(at(10)), Liveness::Expired);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_session_that_never_was_is_not_seen(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let never = a_session(alice.id, at(1)).id;
    assert_eq!(
        storage.snapshots.snapshot(never).await.expect("storage answers"),
        None
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_view_shows_every_change_of_the_user_that_was_answered(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let before = viewed(storage, session.id).await;
    let changed = storage
        .users
        .change_roles(keeping(&alice, &[]), context(at(2)))
        .await
        .expect("storage answers");
    let snapshot = viewed(storage, session.id).await;
    assert_ne!(snapshot.user, before.user);
    let now = RolesChanged::Now {
        user: snapshot.user.clone(),
        sessions_ended: 0,
    };
    assert_eq!(changed, now);

    let change = ChangePassword {
        authorized_by: identity(&snapshot.user, &session),
        hash: a_user("alice").hash,
        session: a_session(alice.id, at(3)),
    };
    let new = change.session.id;
    let changed = storage
        .users
        .change_password(change, context(at(3)))
        .await
        .expect("storage answers");
    let [old, new_view] = [viewed(storage, session.id).await, viewed(storage, new).await];
    assert_eq!(old.lifetime.ended, Some(EndReason::PasswordChanged));
    assert_eq!(new_view.lifetime.ended, None);
    assert_eq!(changed, PasswordChanged::Now(new_view.user));

    let changed = storage
        .users
        .set_status(administer(alice.id), UserStatus::Disabled, context(at(4)))
        .await
        .expect("storage answers");
    assert_eq!(changed, Administered::Now(viewed(storage, new).await.user));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_view_shows_every_change_of_the_session_that_was_answered(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let lifetime = async || viewed(storage, session.id).await.lifetime;
    assert_ne!(lifetime().await.idle_expires_at, at(500));
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(2),
        idle_until: at(500),
    };
    storage.sessions.rotate(rotation).await.expect("storage answers");
    assert_eq!(lifetime().await.idle_expires_at, at(500));
    assert_eq!(lifetime().await.ended, None);
    storage
        .sessions
        .end_all(alice.id, EndReason::LoggedOut, context(at(3)))
        .await
        .expect("storage answers");
    assert_eq!(lifetime().await.ended, Some(EndReason::LoggedOut));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn what_is_read_is_of_one_instant(storage: &Storage) {
    registered(storage, an_admin("root")).await;
    let (alice, session) = logged_in(storage, "alice").await;
    let (done, watch) = watch::channel(false);
    let reader = {
        let storage = storage.clone();
        tokio::spawn(async move {
            while !*watch.borrow() {
                assert_admin_at_odd_epochs(&storage, session.id, alice.epoch).await;
            }
        })
    };
    for turn in 0..50 {
        let roles = if turn % 2 == 0 { "admin" } else { "user" };
        storage
            .users
            .change_roles(keeping(&alice, &[roles]), context(at(2)))
            .await
            .expect("storage answers");
        assert_admin_at_odd_epochs(storage, session.id, alice.epoch).await;
    }
    done.send_replace(true);
    reader.await.expect("every read was of one instant");
}

/// The user is an admin after an odd number of changes since `first`, and a plain user after an even one.
async fn assert_admin_at_odd_epochs(storage: &Storage, session: SessionId, first: Epoch) {
    let role_at = |epoch: Epoch| {
        if (epoch.0 - first.0) % 2 == 0 {
            "user"
        } else {
            "admin"
        }
    };

    let snapshot = viewed(storage, session).await;
    let role = role_at(snapshot.user.epoch);
    assert_eq!(snapshot.user.roles, role_names(&[role]), "{snapshot:?}");
    assert_eq!(snapshot.permissions, allowed(role), "{snapshot:?}");

    let holder = found(storage, session).await.holder;
    assert_eq!(holder.roles, role_names(&[role_at(holder.epoch)]), "{holder:?}");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_token_is_refused_only_by_what_is_so_now(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
    let short = NewSession {
        idle_expires_at: at(10),
        ..a_session(alice.id, at(1))
    };
    let session = opened(storage, &alice, short).await;
    let first = identity(&alice, &session);
    assert!(lets_in(storage, first, 2).await);

    // A refresh carries the new epoch, and later the session's new end.
    let change = keeping(&alice, &[]);
    let changed = storage.users.change_roles(change, context(at(3))).await;
    assert!(matches!(changed, Ok(RolesChanged::Now { .. })), "{changed:?}");
    let second = identity(&user_now(storage, &alice).await, &session);
    assert!(lets_in(storage, second, 4).await);
    assert!(!lets_in(storage, first, 4).await);
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(5),
        idle_until: at(500),
    };
    storage.sessions.rotate(rotation).await.expect("storage answers");
    assert!(lets_in(storage, second, 20).await);

    let reason = EndReason::LoggedOut;
    let ended = storage
        .sessions
        .end(session.id, alice.id, reason, context(at(21)));
    ended.await.expect("storage answers");
    assert!(!lets_in(storage, second, 21).await);
}

/// Whether a token that vouches for `identity` is accepted. What refuses it is the truth.
async fn lets_in(storage: &Storage, identity: TokenIdentity, second: i64) -> bool {
    let snapshot = storage.snapshots.snapshot_for(identity, at(second)).await;
    let snapshot = snapshot.expect("storage answers").expect("a session");
    let accepted = snapshot.is_valid_for(identity, at(second));
    if !accepted {
        assert_eq!(*snapshot, viewed(storage, identity.session).await);
    }
    accepted
}
