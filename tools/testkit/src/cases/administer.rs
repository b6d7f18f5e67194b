//! The contract of what is done to a user's account by somebody else: [`Users::reset_password`],
//! [`Users::set_status`] as far as rights go, and [`Users::delete`].
//!
//! [`Users::reset_password`]: domain::ports::Users::reset_password
//! [`Users::set_status`]: domain::ports::Users::set_status
//! [`Users::delete`]: domain::ports::Users::delete

use super::support::{
    Everything, answered, change_roles, count, credentials, liveness, logged_in, logged_in_as, opened, put,
    race, registered, somebody_who_may, trail, user_now,
};
use crate::{
    Storage,
    fixtures::{a_role, a_session, a_user, administer, an_admin, at, context, identity, role_change},
};
use domain::{
    audit::AuditAction,
    authority::Denied,
    password::PasswordHash,
    ports::{Administer, Administered, ChangePassword, ChangeRoles, PasswordChanged, RolesChanged},
    role::Permission,
    session::{EndReason, Liveness},
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};

#[derive(Clone, Copy, Debug)]
enum Deed {
    Reset,
    Disable,
    Delete,
}

const DEEDS: [Deed; 3] = [Deed::Reset, Deed::Disable, Deed::Delete];

fn new_hash() -> PasswordHash {
    PasswordHash::from_phc("plain$0$chosen by somebody else".to_owned())
}

async fn perform(storage: &Storage, deed: Deed, whom: Administer) -> Administered {
    answered(|| {
        let (users, context) = (&storage.users, context(at(10)));
        match deed {
            Deed::Reset => users.reset_password(whom, new_hash(), context),
            Deed::Disable => users.set_status(whom, UserStatus::Disabled, context),
            Deed::Delete => users.delete(whom, context),
        }
    })
    .await
}

fn on_word_of(by: TokenIdentity, whom: &User) -> Administer {
    Administer {
        authorized_by: Some(by),
        ..administer(whom.id)
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_reset_password_must_be_changed_and_ends_all_sessions(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let expected = User {
        epoch: Epoch(alice.epoch.0 + 1),
        revision: alice.revision.next(),
        must_change_password: true,
        updated_at: at(10),
        ..user_now(storage, &alice).await
    };

    let reset = perform(storage, Deed::Reset, administer(alice.id)).await;

    assert_eq!(reset, Administered::Now(expected.clone()));
    let kept = credentials(storage, &alice).await;
    assert_eq!((kept.user, kept.hash), (expected, new_hash()));
    let ended = Liveness::Ended(EndReason::PasswordReset);
    assert_eq!(liveness(storage, session.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_password_of_ones_own_choice_need_not_be_changed(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    perform(storage, Deed::Reset, administer(alice.id)).await;
    let alice = user_now(storage, &alice).await;
    let session = opened(storage, &alice, a_session(alice.id, at(11))).await;
    let stored = storage.sessions.find(session.id).await.expect("storage answers");
    assert!(stored.expect("a session").holder.must_change_password);
    let change = ChangePassword {
        authorized_by: identity(&alice, &session),
        hash: a_user("alice").hash,
        session: a_session(alice.id, at(12)),
    };
    let changed = storage
        .users
        .change_password(change, context(at(12)))
        .await
        .expect("storage answers");
    let PasswordChanged::Now(now) = changed else {
        panic!("nothing stands against this change");
    };
    assert!(!now.must_change_password);
    assert_eq!(user_now(storage, &alice).await, now);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_deleted_user_is_gone_and_the_trail_stays(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (bob, of_bob) = logged_in(storage, "bob").await;
    let before = user_now(storage, &alice).await;
    let bob_before = Everything::of(storage, &bob, &[of_bob.id]).await;

    let deleted = perform(storage, Deed::Delete, administer(alice.id)).await;

    assert_eq!(deleted, Administered::Now(before));
    let left = Everything::of(storage, &alice, &[session.id]).await;
    assert!(left.credentials.is_none() && left.listed.is_empty(), "{left:?}");
    assert_eq!((left.sessions, left.snapshots), (vec![None], vec![None]));
    assert_eq!(storage.users.find(alice.id).await.expect("storage answers"), None);
    let last = left.trail.last().map(|row| row.event.action);
    assert_eq!((left.trail.len(), last), (3, Some(AuditAction::UserDeleted)));
    assert_eq!(Everything::of(storage, &bob, &[of_bob.id]).await, bob_before);
    let next = registered(storage, a_user("ALICE")).await;
    assert_ne!(next.id, alice.id, "the login is free again");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nothing_is_done_to_nobody(storage: &Storage) {
    let nobody = a_user("nobody").registered_at(at(0));
    for deed in DEEDS {
        let answer = perform(storage, deed, administer(nobody.id)).await;
        assert_eq!(answer, Administered::NoSuchUser, "{deed:?}");
    }
    assert!(trail(storage, &nobody).await.is_empty());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nothing_is_done_to_a_user_at_another_revision(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    change_roles(storage, role_change(alice.id, &["user"])).await;
    let now = user_now(storage, &alice).await.revision;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for deed in DEEDS {
        for other in [alice.revision, now.next()] {
            let whom = Administer {
                if_revision: Some(other),
                ..administer(alice.id)
            };
            let answer = perform(storage, deed, whom).await;
            assert_eq!(answer, Administered::AnotherRevision, "{deed:?}");
            assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
        }
    }
    for deed in DEEDS {
        let whom = Administer {
            if_revision: Some(user_now(storage, &alice).await.revision),
            ..administer(alice.id)
        };
        let answer = perform(storage, deed, whom).await;
        assert!(matches!(answer, Administered::Now(_)), "{deed:?}: {answer:?}");
    }
}

/// Asserts that each deed is denied to `by`, and changes nothing.
async fn assert_denied(storage: &Storage, by: TokenIdentity, whom: &User, denied: Denied) {
    let before = Everything::of(storage, whom, &[]).await;
    for deed in DEEDS {
        let answer = perform(storage, deed, on_word_of(by, whom)).await;
        assert_eq!(answer, Administered::Denied(denied.clone()), "{deed:?}");
        assert_eq!(Everything::of(storage, whom, &[]).await, before, "{deed:?}");
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn rights_are_those_of_the_moment_of_the_deed(storage: &Storage) {
    let (keeper, session) = somebody_who_may(storage, "keeper", &["users:write"]).await;
    let (alice, _) = logged_in(storage, "alice").await;
    let by = identity(&keeper, &session);
    for deed in [Deed::Reset, Deed::Disable] {
        let answer = perform(storage, deed, on_word_of(by, &alice)).await;
        assert!(matches!(answer, Administered::Now(_)), "{deed:?}: {answer:?}");
    }

    put(storage, a_role("of-keeper", &["users:read"])).await;
    assert_denied(storage, by, &alice, Denied::Forbidden(Permission::USERS_WRITE)).await;
    put(storage, a_role("of-keeper", &["users:write"])).await;
    put(storage, a_role("other", &["audit:read"])).await;
    change_roles(storage, role_change(alice.id, &["other"])).await;
    assert_denied(storage, by, &alice, Denied::OutOfReach).await;
    change_roles(storage, role_change(alice.id, &["admin"])).await;
    assert_denied(storage, by, &alice, Denied::OutOfReach).await;
    change_roles(storage, role_change(alice.id, &["user"])).await;
    let fallen = TokenIdentity {
        epoch: Epoch(by.epoch.0 + 1),
        ..by
    };
    assert_denied(storage, fallen, &alice, Denied::Stale).await;
    let answer = perform(storage, Deed::Delete, on_word_of(by, &alice)).await;
    assert!(matches!(answer, Administered::Now(_)), "{answer:?}");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_does_anything_from_a_session_that_is_over(storage: &Storage) {
    let (root, session) = logged_in_as(storage, an_admin("root")).await;
    let (alice, _) = logged_in(storage, "alice").await;
    storage
        .sessions
        .end_all(root.id, EndReason::LoggedOut, context(at(5)))
        .await
        .expect("storage answers");
    assert_denied(storage, identity(&root, &session), &alice, Denied::Stale).await;
    perform(storage, Deed::Delete, administer(alice.id)).await;
    let (gone, of_gone) = logged_in_as(storage, a_user("gone")).await;
    perform(storage, Deed::Delete, administer(gone.id)).await;
    let bob = registered(storage, a_user("bob")).await;
    assert_denied(storage, identity(&gone, &of_gone), &bob, Denied::Stale).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn everybody_may_delete_their_own_account(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let whom = on_word_of(identity(&alice, &session), &alice);
    let answer = perform(storage, Deed::Delete, whom).await;
    assert!(matches!(answer, Administered::Now(_)), "{answer:?}");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn the_last_active_admin_is_not_deleted(storage: &Storage) {
    let (root, session) = logged_in_as(storage, an_admin("root")).await;
    let other = registered(storage, an_admin("other")).await;
    perform(storage, Deed::Disable, administer(other.id)).await;
    let before = Everything::of(storage, &root, &[session.id]).await;
    let answer = perform(storage, Deed::Delete, administer(root.id)).await;
    assert_eq!(answer, Administered::LastAdmin);
    assert_eq!(Everything::of(storage, &root, &[session.id]).await, before);
    let answer = perform(storage, Deed::Delete, administer(other.id)).await;
    assert!(matches!(answer, Administered::Now(_)), "a disabled admin may go");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn of_fifty_admins_removed_at_once_one_is_left(storage: &Storage) {
    let mut admins = Vec::new();
    for turn in 0..50 {
        admins.push(registered(storage, an_admin(&format!("admin{turn}"))).await);
    }
    let answers = race(admins.into_iter().enumerate().map(|(turn, admin)| {
        let storage = storage.clone();
        async move {
            let demote = ChangeRoles {
                keep_sessions: turn % 2 == 0,
                ..role_change(admin.id, &["user"])
            };
            match turn % 3 {
                0 => matches!(change_roles(&storage, demote).await, RolesChanged::Now { .. }),
                1 => removed(perform(&storage, Deed::Disable, administer(admin.id)).await),
                _ => removed(perform(&storage, Deed::Delete, administer(admin.id)).await),
            }
        }
    }))
    .await;
    assert_eq!(count(&answers, |removed| *removed), 49);
    assert!(storage.users.any_admin().await.expect("storage answers"));
}

fn removed(answer: Administered) -> bool {
    match answer {
        Administered::Now(_) => true,
        Administered::LastAdmin => false,
        other => panic!("{other:?}"),
    }
}
