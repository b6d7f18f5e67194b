//! The contract of [`Users::change_roles`](domain::ports::Users::change_roles).

use super::support::{
    Everything, answered, count, found, liveness, logged_in, logged_in_as, opened, race, registered,
    user_now, viewed,
};
use crate::{
    Storage,
    fixtures::{
        a_session, a_user, administer, an_admin, at, context, context_of, identity, role_change, role_names,
    },
};
use domain::{
    authority::Denied,
    ports::{ChangeRoles, RolesChanged},
    role::RoleName,
    session::{EndReason, Liveness},
    token::TokenIdentity,
    user::{Epoch, User, UserStatus},
};

fn to(user: &User, roles: &[&str]) -> ChangeRoles {
    role_change(user.id, roles)
}

async fn change(storage: &Storage, change: ChangeRoles) -> RolesChanged {
    let context = context_of(change.user, at(10));
    answered(|| storage.users.change_roles(change.clone(), context.clone())).await
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_gives_exactly_those_roles_and_raises_the_epoch(storage: &Storage) {
    registered(storage, an_admin("root")).await;
    let mut expected = registered(storage, a_user("alice")).await;
    for roles in [&["admin"][..], &["admin", "user"], &["admin", "user"], &[]] {
        expected = User {
            roles: role_names(roles),
            epoch: Epoch(expected.epoch.0 + 1),
            revision: expected.revision.next(),
            updated_at: at(10),
            ..expected
        };
        let changed = change(storage, to(&expected, roles)).await;
        let now = RolesChanged::Now {
            user: expected.clone(),
            sessions_ended: 0,
        };
        assert_eq!(changed, now);
        assert_eq!(user_now(storage, &expected).await, expected);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_ends_all_live_sessions(storage: &Storage) {
    let (alice, one) = logged_in(storage, "alice").await;
    let two = opened(storage, &alice, a_session(alice.id, at(2))).await;
    let over = opened(storage, &alice, a_session(alice.id, at(3))).await;
    storage
        .sessions
        .end(over.id, alice.id, EndReason::LoggedOut, context(at(4)))
        .await
        .expect("storage answers");
    let (_, of_bob) = logged_in(storage, "bob").await;

    let changed = change(storage, to(&alice, &[])).await;

    let now = RolesChanged::Now {
        user: user_now(storage, &alice).await,
        sessions_ended: 2,
    };
    assert_eq!(changed, now);
    for (session, liveness_now) in [
        (one, Liveness::Ended(EndReason::RolesChanged)),
        (two, Liveness::Ended(EndReason::RolesChanged)),
        (over, Liveness::Ended(EndReason::LoggedOut)),
        (of_bob, Liveness::Live),
    ] {
        assert_eq!(liveness(storage, session.id, at(11)).await, liveness_now);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_that_keeps_sessions_leaves_them_alive_with_the_new_roles(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let keep = ChangeRoles {
        keep_sessions: true,
        ..to(&alice, &["admin"])
    };
    let RolesChanged::Now {
        user: changed,
        sessions_ended,
    } = change(storage, keep).await
    else {
        panic!("nothing stands against this change");
    };
    assert_eq!(sessions_ended, 0);
    assert_eq!(changed.epoch, Epoch(alice.epoch.0 + 1));
    let stored = found(storage, session.id).await;
    assert_eq!(stored.lifetime.at(at(11)), Liveness::Live);
    assert_eq!(
        (stored.holder.epoch, stored.holder.roles),
        (changed.epoch, role_names(&["admin"]))
    );
    assert_eq!(viewed(storage, session.id).await.user, changed);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_happens_only_while_its_caller_stands(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let (root, of_root) = logged_in_as(storage, an_admin("root")).await;
    let good = identity(&root, &of_root);
    let on_word_of = |authorized_by| ChangeRoles {
        authorized_by: Some(authorized_by),
        ..to(&alice, &["admin"])
    };
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for fallen in [
        TokenIdentity {
            epoch: Epoch(root.epoch.0 - 1),
            ..good
        },
        TokenIdentity {
            epoch: Epoch(root.epoch.0 + 1),
            ..good
        },
        TokenIdentity {
            session: session.id,
            ..good
        },
        TokenIdentity {
            user: alice.id,
            ..good
        },
    ] {
        assert_eq!(
            change(storage, on_word_of(fallen)).await,
            RolesChanged::Denied(Denied::Stale)
        );
        assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    }
    assert!(matches!(
        change(storage, on_word_of(good)).await,
        RolesChanged::Now { .. }
    ));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_changes_roles_from_a_session_that_is_over(storage: &Storage) {
    let (alice, of_alice) = logged_in(storage, "alice").await;
    let (root, logged_out) = logged_in_as(storage, an_admin("root")).await;
    let expired = opened(storage, &root, a_session(root.id, at(-365 * 24 * 3600))).await;
    storage
        .sessions
        .end(logged_out.id, root.id, EndReason::LoggedOut, context(at(4)))
        .await
        .expect("storage answers");
    let (mallory, of_mallory) = logged_in_as(storage, an_admin("mallory")).await;
    storage
        .users
        .set_status(administer(mallory.id), UserStatus::Disabled, context(at(5)))
        .await
        .expect("storage answers");
    let mallory = user_now(storage, &mallory).await;
    let before = Everything::of(storage, &alice, &[of_alice.id]).await;
    for over in [
        identity(&root, &logged_out),
        identity(&root, &expired),
        identity(&mallory, &of_mallory),
    ] {
        let wanted = ChangeRoles {
            authorized_by: Some(over),
            ..to(&alice, &["admin"])
        };
        assert_eq!(change(storage, wanted).await, RolesChanged::Denied(Denied::Stale));
        assert_eq!(Everything::of(storage, &alice, &[of_alice.id]).await, before);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn one_of_many_concurrent_changes_of_ones_own_happens(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let answers = race((0..20).map(|_| {
        let (storage, alice, authorized_by) = (storage.clone(), alice.clone(), identity(&alice, &session));
        async move {
            let wanted = ChangeRoles {
                authorized_by: Some(authorized_by),
                ..to(&alice, &[])
            };
            change(&storage, wanted).await
        }
    }))
    .await;
    assert_eq!(count(&answers, |it| matches!(it, RolesChanged::Now { .. })), 1);
    assert_eq!(
        count(&answers, |it| *it == RolesChanged::Denied(Denied::Stale)),
        19
    );
    assert_eq!(user_now(storage, &alice).await.epoch, Epoch(alice.epoch.0 + 1));
}

/// Two callers who change each other at the same moment: nobody waits for the other for ever.
///
/// # Panics
/// When the storage breaks the contract.
pub async fn callers_who_change_each_other_both_get_an_answer(storage: &Storage) {
    registered(storage, an_admin("root")).await;
    for round in 0..10 {
        let (one, of_one) = logged_in_as(storage, an_admin(&format!("one-{round}"))).await;
        let (two, of_two) = logged_in_as(storage, an_admin(&format!("two-{round}"))).await;
        let (by_one, by_two) = (identity(&one, &of_one), identity(&two, &of_two));
        let pairs = [(by_one, two), (by_two, one)];
        let answers = race(pairs.into_iter().map(|(by, whom)| {
            let storage = storage.clone();
            async move {
                let wanted = ChangeRoles {
                    authorized_by: Some(by),
                    ..to(&whom, &[])
                };
                change(&storage, wanted).await
            }
        }))
        .await;
        // Whoever is first has raised the other's epoch.
        assert_eq!(count(&answers, |it| matches!(it, RolesChanged::Now { .. })), 1);
        assert_eq!(
            count(&answers, |it| *it == RolesChanged::Denied(Denied::Stale)),
            1
        );
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn no_change_of_many_concurrent_ones_is_lost(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
    race((0..20).map(|turn| {
        let (storage, alice) = (storage.clone(), alice.clone());
        async move {
            let roles: &[&str] = if turn % 2 == 0 { &[] } else { &["user"] };
            assert!(matches!(
                change(&storage, to(&alice, roles)).await,
                RolesChanged::Now { .. }
            ));
        }
    }))
    .await;
    assert_eq!(user_now(storage, &alice).await.epoch, Epoch(alice.epoch.0 + 20));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_to_an_unknown_role_changes_nothing(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    let changed = change(storage, to(&alice, &["admin", "unheard-of"])).await;
    let unheard_of = RoleName::parse("unheard-of").expect("a role's name");
    assert_eq!(changed, RolesChanged::UnknownRole(unheard_of));
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_change_for_nobody_changes_nothing(storage: &Storage) {
    let nobody = a_user("nobody").registered_at(at(0));
    assert_eq!(
        change(storage, to(&nobody, &["user"])).await,
        RolesChanged::NoSuchUser
    );
    let everything = Everything::of(storage, &nobody, &[]).await;
    assert!(
        everything.credentials.is_none() && everything.trail.is_empty(),
        "{everything:?}"
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn the_last_active_admin_keeps_the_role(storage: &Storage) {
    let root = registered(storage, an_admin("root")).await;
    let session = opened(storage, &root, a_session(root.id, at(1))).await;
    let disabled = registered(storage, an_admin("disabled")).await;
    storage
        .users
        .set_status(administer(disabled.id), UserStatus::Disabled, context(at(2)))
        .await
        .expect("storage answers");
    let before = Everything::of(storage, &root, &[session.id]).await;

    assert_eq!(
        change(storage, to(&root, &["user"])).await,
        RolesChanged::LastAdmin
    );
    assert_eq!(Everything::of(storage, &root, &[session.id]).await, before);
    let others = [to(&disabled, &["user"]), to(&root, &["admin"])];
    for other in others {
        assert!(
            matches!(change(storage, other).await, RolesChanged::Now { .. }),
            "an admin is left"
        );
    }
    registered(storage, an_admin("successor")).await;
    assert!(matches!(
        change(storage, to(&root, &[])).await,
        RolesChanged::Now { .. }
    ));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn of_two_admins_who_demote_each_other_one_is_left(storage: &Storage) {
    let admins = [
        registered(storage, an_admin("one")).await,
        registered(storage, an_admin("two")).await,
    ];
    for round in 0..20 {
        let answers = race(admins.clone().map(|admin| {
            let storage = storage.clone();
            async move { change(&storage, to(&admin, &["user"])).await }
        }))
        .await;
        assert_eq!(
            count(&answers, |it| matches!(it, RolesChanged::Now { .. })),
            1,
            "round {round}"
        );
        assert_eq!(
            count(&answers, |it| *it == RolesChanged::LastAdmin),
            1,
            "round {round}"
        );
        assert!(
            storage.users.any_admin().await.expect("storage answers"),
            "round {round}"
        );
        for admin in &admins {
            if !user_now(storage, admin).await.roles.contains(&RoleName::ADMIN) {
                change(storage, to(admin, &["admin"])).await;
            }
        }
    }
}
