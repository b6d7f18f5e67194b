//! The contract of [`Users::set_status`](domain::ports::Users::set_status).

use super::support::{
    Everything, answered, count, liveness, logged_in, opened, race, registered, trail, user_now,
};
use crate::{
    Storage,
    fixtures::{a_session, a_user, administer, an_admin, at, context, role_change},
};
use domain::{
    ports::{Administered, RolesChanged},
    session::{EndReason, Liveness},
    user::{Epoch, User, UserStatus},
};

async fn set(storage: &Storage, user: &User, status: UserStatus) -> Administered {
    answered(|| {
        storage
            .users
            .set_status(administer(user.id), status, context(at(10)))
    })
    .await
}

/// # Panics
/// When the storage breaks the contract.
pub async fn disabling_raises_the_epoch_and_ends_all_live_sessions(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (_, of_bob) = logged_in(storage, "bob").await;
    let expected = User {
        status: UserStatus::Disabled,
        epoch: Epoch(alice.epoch.0 + 1),
        revision: alice.revision.next(),
        updated_at: at(10),
        ..user_now(storage, &alice).await
    };
    assert_eq!(
        set(storage, &alice, UserStatus::Disabled).await,
        Administered::Now(expected.clone())
    );
    assert_eq!(user_now(storage, &alice).await, expected);
    let ended = Liveness::Ended(EndReason::UserDisabled);
    assert_eq!(liveness(storage, session.id, at(11)).await, ended);
    assert_eq!(liveness(storage, of_bob.id, at(11)).await, Liveness::Live);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn enabling_brings_no_session_back(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    set(storage, &alice, UserStatus::Disabled).await;
    let disabled = user_now(storage, &alice).await;

    let enabled = set(storage, &alice, UserStatus::Active).await;

    let expected = User {
        status: UserStatus::Active,
        revision: disabled.revision.next(),
        ..disabled
    };
    assert_eq!(enabled, Administered::Now(expected.clone()));
    assert_eq!(user_now(storage, &alice).await, expected);
    let ended = Liveness::Ended(EndReason::UserDisabled);
    assert_eq!(liveness(storage, session.id, at(11)).await, ended);
    opened(storage, &expected, a_session(alice.id, at(12))).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_status_that_is_already_as_asked_changes_nothing(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    for status in [UserStatus::Active, UserStatus::Disabled] {
        set(storage, &alice, status).await;
        let before = Everything::of(storage, &alice, &[session.id]).await;
        let user = user_now(storage, &alice).await;
        let again = storage
            .users
            .set_status(administer(alice.id), status, context(at(20)))
            .await
            .expect("storage answers");
        assert_eq!(again, Administered::Now(user));
        assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn many_concurrent_disablings_disable_once(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    let rows = trail(storage, &alice).await.len();
    let answers = race((0..20).map(|_| {
        let (storage, alice) = (storage.clone(), alice.clone());
        async move { set(&storage, &alice, UserStatus::Disabled).await }
    }))
    .await;
    let disabled = user_now(storage, &alice).await;
    assert_eq!(disabled.epoch, Epoch(alice.epoch.0 + 1));
    assert!(
        answers
            .iter()
            .all(|it| *it == Administered::Now(disabled.clone())),
        "{answers:?}"
    );
    assert_eq!(trail(storage, &alice).await.len(), rows + 1);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_has_a_status(storage: &Storage) {
    let nobody = a_user("nobody").registered_at(at(0));
    assert_eq!(
        set(storage, &nobody, UserStatus::Disabled).await,
        Administered::NoSuchUser
    );
    assert!(trail(storage, &nobody).await.is_empty());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn the_last_active_admin_cannot_be_disabled(storage: &Storage) {
    let root = registered(storage, an_admin("root")).await;
    let session = opened(storage, &root, a_session(root.id, at(1))).await;
    let other = registered(storage, an_admin("other")).await;
    assert!(matches!(
        set(storage, &other, UserStatus::Disabled).await,
        Administered::Now(_)
    ));
    let before = Everything::of(storage, &root, &[session.id]).await;

    assert_eq!(
        set(storage, &root, UserStatus::Disabled).await,
        Administered::LastAdmin
    );

    assert_eq!(Everything::of(storage, &root, &[session.id]).await, before);
    set(storage, &other, UserStatus::Active).await;
    assert!(matches!(
        set(storage, &root, UserStatus::Disabled).await,
        Administered::Now(_)
    ));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn of_two_admins_who_disable_each_other_one_is_left(storage: &Storage) {
    let admins = [
        registered(storage, an_admin("one")).await,
        registered(storage, an_admin("two")).await,
    ];
    for round in 0..20 {
        let answers = race(admins.clone().map(|admin| {
            let storage = storage.clone();
            async move { set(&storage, &admin, UserStatus::Disabled).await }
        }))
        .await;
        assert_eq!(
            count(&answers, |it| matches!(it, Administered::Now(_))),
            1,
            "round {round}"
        );
        assert_eq!(
            count(&answers, |it| *it == Administered::LastAdmin),
            1,
            "round {round}"
        );
        assert!(
            storage.users.any_admin().await.expect("storage answers"),
            "round {round}"
        );
        for admin in &admins {
            set(storage, admin, UserStatus::Active).await;
        }
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn of_two_admins_one_demoted_and_one_disabled_at_once_one_is_left(storage: &Storage) {
    let one = registered(storage, an_admin("one")).await;
    let two = registered(storage, an_admin("two")).await;
    for round in 0..20 {
        let answers = race((0..2).map(|turn| {
            let (storage, one, two) = (storage.clone(), one.clone(), two.clone());
            async move {
                if turn == 0 {
                    matches!(give(&storage, &one, "user").await, RolesChanged::Now { .. })
                } else {
                    matches!(
                        set(&storage, &two, UserStatus::Disabled).await,
                        Administered::Now(_)
                    )
                }
            }
        }))
        .await;
        assert_eq!(count(&answers, |changed| *changed), 1, "round {round}");
        set(storage, &two, UserStatus::Active).await;
        give(storage, &one, "admin").await;
    }
}

/// Gives `user` the one role `role`.
async fn give(storage: &Storage, user: &User, role: &str) -> RolesChanged {
    answered(|| {
        storage
            .users
            .change_roles(role_change(user.id, &[role]), context(at(10)))
    })
    .await
}
