//! The contract of [`Users::change_roles`](domain::ports::Users::change_roles), as far as revisions, rehearsals and rights go.

use super::support::{
    Everything, change_roles, logged_in, logged_in_as, opened, put, registered, somebody_who_may, user_now,
};
use crate::{
    Storage,
    fixtures::{a_role, a_session, a_user, an_admin, at, identity, role_change, role_names},
};
use domain::{
    authority::Denied,
    ports::{ChangeRoles, PutRole, RolesChanged},
    role::{Permission, RoleName},
    token::TokenIdentity,
    user::User,
};

fn on_word_of(by: TokenIdentity, user: &User, roles: &[&str]) -> ChangeRoles {
    ChangeRoles {
        authorized_by: Some(by),
        ..role_change(user.id, roles)
    }
}

fn not_assignable(role: &str) -> Denied {
    Denied::NotAssignable(RoleName::parse(role).expect("a role's name"))
}

async fn assert_answers(storage: &Storage, wanted: ChangeRoles, user: &User, answer: RolesChanged) {
    let before = Everything::of(storage, user, &[]).await;
    assert_eq!(change_roles(storage, wanted).await, answer);
    assert_eq!(Everything::of(storage, user, &[]).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn roles_of_a_user_at_another_revision_are_left_alone(storage: &Storage) {
    let (alice, _) = logged_in(storage, "alice").await;
    change_roles(storage, role_change(alice.id, &[])).await;
    let now = user_now(storage, &alice).await.revision;
    for other in [alice.revision, now.next()] {
        let wanted = ChangeRoles {
            if_revision: Some(other),
            ..role_change(alice.id, &["user"])
        };
        assert_answers(storage, wanted, &alice, RolesChanged::AnotherRevision).await;
    }
    let wanted = ChangeRoles {
        if_revision: Some(now),
        ..role_change(alice.id, &["user"])
    };
    let answer = change_roles(storage, wanted).await;
    assert!(matches!(answer, RolesChanged::Now { .. }), "{answer:?}");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_rehearsal_answers_what_would_happen_and_changes_nothing(storage: &Storage) {
    let (root, one) = logged_in_as(storage, an_admin("root")).await;
    opened(storage, &root, a_session(root.id, at(2))).await;
    let dry_run = |roles: &[&str]| ChangeRoles {
        dry_run: true,
        ..role_change(root.id, roles)
    };
    let before = Everything::of(storage, &root, &[one.id]).await;
    let answer = change_roles(storage, dry_run(&["user"])).await;
    assert_eq!(answer, RolesChanged::LastAdmin);
    let answer = change_roles(storage, dry_run(&["admin"])).await;
    let RolesChanged::Now { user, sessions_ended } = answer else {
        panic!("nothing stands against this change");
    };
    assert_eq!(
        (user.roles, user.revision, sessions_ended),
        (role_names(&["admin"]), root.revision.next(), 2)
    );
    assert_eq!(Everything::of(storage, &root, &[one.id]).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn everybody_drops_roles_and_takes_those_that_are_self_assignable(storage: &Storage) {
    let (alice, session) = logged_in(storage, "alice").await;
    put(storage, a_role("closed", &[])).await;
    let open = PutRole {
        self_assignable: true,
        ..a_role("open", &["a:x"])
    };
    put(storage, open).await;
    let by = identity(&alice, &session);
    for role in ["closed", "admin"] {
        let wanted = on_word_of(by, &alice, &["open", role]);
        assert_answers(
            storage,
            wanted,
            &alice,
            RolesChanged::Denied(not_assignable(role)),
        )
        .await;
    }
    let bob = registered(storage, a_user("bob")).await;
    let lacking = Denied::Forbidden(Permission::ROLES_ASSIGN);
    let wanted = on_word_of(by, &bob, &["open"]);
    assert_answers(storage, wanted, &bob, RolesChanged::Denied(lacking)).await;
    let taken = change_roles(storage, on_word_of(by, &alice, &["open"])).await;
    assert!(matches!(taken, RolesChanged::Now { .. }), "{taken:?}");
    assert_eq!(user_now(storage, &alice).await.roles, role_names(&["open"]));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn rights_are_those_of_the_moment_of_the_change(storage: &Storage) {
    registered(storage, an_admin("root")).await;
    let (keeper, session) = somebody_who_may(storage, "keeper", &["roles:assign", "a:x"]).await;
    let (alice, _) = logged_in(storage, "alice").await;
    put(storage, a_role("small", &["a:x"])).await;
    put(storage, a_role("great", &["b:x"])).await;
    let by = identity(&keeper, &session);
    let denied = |denied| RolesChanged::Denied(denied);
    let small = || on_word_of(by, &alice, &["small"]);
    for role in ["great", "admin"] {
        let wanted = on_word_of(by, &alice, &[role]);
        assert_answers(storage, wanted, &alice, denied(not_assignable(role))).await;
    }
    put(storage, a_role("small", &["a:x", "b:x"])).await;
    assert_answers(storage, small(), &alice, denied(not_assignable("small"))).await;
    put(storage, a_role("small", &["a:x"])).await;
    put(storage, a_role("of-keeper", &["a:x"])).await;
    let lacking = Denied::Forbidden(Permission::ROLES_ASSIGN);
    assert_answers(storage, small(), &alice, denied(lacking)).await;
    put(storage, a_role("of-keeper", &["a:x", "roles:assign"])).await;
    for role in ["great", "admin"] {
        change_roles(storage, role_change(alice.id, &[role])).await;
        assert_answers(storage, small(), &alice, denied(Denied::OutOfReach)).await;
    }
    change_roles(storage, role_change(alice.id, &[])).await;
    let answer = change_roles(storage, small()).await;
    assert!(matches!(answer, RolesChanged::Now { .. }), "{answer:?}");
}
