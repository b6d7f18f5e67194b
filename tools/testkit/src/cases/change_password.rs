//! The contract of [`Users::change_password`](domain::ports::Users::change_password).

use super::support::{
    Everything, answered, count, credentials, found, liveness, logged_in, opened, race, viewed,
};
use crate::{
    Storage,
    fixtures::{a_session, a_user, administer, at, context, context_of, identity},
};
use domain::{
    password::PasswordHash,
    ports::{ChangePassword, PasswordChanged},
    session::{EndReason, Liveness, NewSession},
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};

fn from(authorized_by: TokenIdentity) -> ChangePassword {
    ChangePassword {
        authorized_by,
        hash: PasswordHash::from_phc("plain$9$a new password".to_owned()),
        session: a_session(authorized_by.user, at(10)),
    }
}

async fn change(storage: &Storage, change: ChangePassword) -> PasswordChanged {
    let context = context_of(change.authorized_by.user, at(10));
    answered(|| storage.users.change_password(change.clone(), context.clone())).await
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_replaces_the_hash_and_raises_the_epoch(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let wanted = from(identity(&alice, &session));
    let PasswordChanged::Now(changed) = change(storage, wanted.clone()).await else {
        panic!("nothing stands against this change");
    };
    let kept = credentials(storage, &alice).await;
    assert_eq!(kept.user, changed);
    assert_eq!(kept.hash, wanted.hash);
    assert_eq!(
        (changed.epoch, changed.revision, changed.updated_at),
        (Epoch(alice.epoch.0 + 1), alice.revision.next(), at(10))
    );
    assert_eq!(
        (changed.roles, changed.created_at),
        (alice.roles, alice.created_at)
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_ends_all_sessions_and_opens_one_at_the_new_epoch(storage: &Storage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let wanted = from(identity(&alice, &one));
    let PasswordChanged::Now(changed) = change(storage, wanted.clone()).await else {
        panic!("nothing stands against this change");
    };
    for old in [one, two] {
        let ended = Liveness::Ended(EndReason::PasswordChanged);
        assert_eq!(liveness(storage, old.id, at(11)).await, ended);
    }
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
    let new = found(storage, wanted.session.id).await;
    assert_eq!(new.lifetime.at(at(11)), Liveness::Live);
    assert_eq!(new.secret_digest, wanted.session.secret_digest);
    assert_eq!(new.holder.epoch, changed.epoch);
    assert_eq!(viewed(storage, wanted.session.id).await.user, changed);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_stale_change_changes_nothing(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let good = identity(&alice, &session);
    for stale in [
        TokenIdentity {
            epoch: Epoch(alice.epoch.0 - 1),
            ..good
        },
        TokenIdentity {
            epoch: Epoch(alice.epoch.0 + 1),
            ..good
        },
        TokenIdentity {
            session: of_bob.id,
            ..good
        },
    ] {
        assert_stale(storage, &alice, from(stale), &session).await;
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_changes_a_password_from_a_session_that_is_over(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    storage
        .sessions
        .end_all(alice.id, EndReason::LoggedOut, context(at(5)))
        .await
        .expect("storage answers");
    assert_stale(storage, &alice, from(identity(&alice, &session)), &session).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_disabled_user_cannot_change_their_password(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    storage
        .users
        .set_status(administer(alice.id), UserStatus::Disabled, context(at(5)))
        .await
        .expect("storage answers");
    let epoch_now = credentials(storage, &alice).await.user.epoch;
    for epoch in [alice.epoch, epoch_now] {
        let wanted = from(TokenIdentity {
            epoch,
            ..identity(&alice, &session)
        });
        assert_stale(storage, &alice, wanted, &session).await;
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_cannot_change_a_password(storage: &Storage) {
    let (_, session) = logged_in(storage, "alice").await;
    let nobody = a_user("nobody").registered_at(at(0));
    assert_stale(storage, &nobody, from(identity(&nobody, &session)), &session).await;
}

async fn assert_stale(storage: &Storage, user: &User, wanted: ChangePassword, old: &NewSession) {
    let sessions = [old.id, wanted.session.id];
    let before = Everything::of(storage, user, &sessions).await;
    assert_eq!(change(storage, wanted).await, PasswordChanged::Stale);
    assert_eq!(Everything::of(storage, user, &sessions).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn one_of_many_concurrent_changes_happens(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let answers = race((0..20).map(|_| {
        let (storage, wanted) = (storage.clone(), from(identity(&alice, &session)));
        async move { change(&storage, wanted).await }
    }))
    .await;
    assert_eq!(count(&answers, |it| matches!(it, PasswordChanged::Now(_))), 1);
    assert_eq!(count(&answers, |it| *it == PasswordChanged::Stale), 19);
    let live = storage
        .sessions
        .list(alice.id, at(11))
        .await
        .expect("storage answers");
    assert_eq!(live.len(), 1, "the one session that was opened");
}
