//! The contract of [`Roles`](domain::ports::Roles).

use super::support::{
    answered, change_roles, count, logged_in_as, put, race, registered, somebody_who_may, user_now, viewed,
};
use crate::{
    Storage,
    fixtures::{a_role, a_user, an_admin, at, context, identity, role_change, role_names},
};
use domain::{
    audit::{AuditAction, AuditEvent, AuditFilter, ChainEnds},
    authority::Denied,
    ports::{MAX_ROLES, PutRole, RemoveRole, RolePut, RoleRemoved, RolesChanged},
    revision::{Precondition, Revision},
    role::{Description, OWN_PERMISSIONS, Permission, Permissions, Role, RoleName, built_in},
    token::TokenIdentity,
};

async fn find(storage: &Storage, names: &[&str]) -> Vec<Role> {
    let mut roles = storage
        .roles
        .find(&role_names(names))
        .await
        .expect("storage answers");
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    roles
}

/// # Panics
/// When the storage breaks the contract.
pub async fn the_built_in_roles_are_there_from_the_start(storage: &Storage) {
    assert_eq!(find(storage, &["admin", "user"]).await, built_in());
    for role in built_in() {
        assert_eq!(find(storage, &[role.name.as_str()]).await, [role]);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn roles_that_do_not_exist_are_left_out(storage: &Storage) {
    let [_, user] = built_in();
    assert_eq!(
        find(storage, &["adm", "unheard-of", "user", "user-"]).await,
        [user]
    );
    assert_eq!(find(storage, &["unheard-of"]).await, []);
    assert_eq!(find(storage, &[]).await, []);
}

async fn put_on(storage: &Storage, put: PutRole) -> RolePut {
    answered(|| storage.roles.put(put.clone(), context(at(5)))).await
}

async fn remove_on(storage: &Storage, remove: RemoveRole) -> RoleRemoved {
    answered(|| storage.roles.remove(remove.clone(), context(at(5)))).await
}

fn removal(name: &str) -> RemoveRole {
    RemoveRole {
        name: RoleName::parse(name).expect("a role's name"),
        if_revision: None,
        authorized_by: None,
        dry_run: false,
    }
}

async fn all(storage: &Storage) -> Vec<Role> {
    storage.roles.list().await.expect("storage answers")
}

/// The catalogue and how many events there are, to tell whether anything changed.
async fn everything(storage: &Storage) -> (Vec<Role>, ChainEnds) {
    let ends = storage.audit.ends().await.expect("storage answers");
    (all(storage).await, ends)
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_role_that_is_put_is_in_the_catalogue(storage: &Storage) {
    let mut expected = Role {
        name: RoleName::parse("m-one").expect("a role's name"),
        description: Description::parse("it's \"one\" — ½ 🦀").expect("a description"),
        permissions: a_role("m-one", &["users:read", "orders:write"]).permissions,
        self_assignable: true,
        revision: Revision::FIRST,
    };
    for (created, permissions) in [(true, &["users:read", "orders:write"][..]), (false, &[])] {
        expected.permissions = a_role("m-one", permissions).permissions;
        let wanted = PutRole {
            description: expected.description.clone(),
            self_assignable: expected.self_assignable,
            ..a_role("m-one", permissions)
        };
        let now = RolePut::Now {
            role: expected.clone(),
            created,
            holders: 0,
        };
        assert_eq!(put_on(storage, wanted).await, now);
        assert_eq!(find(storage, &["m-one"]).await, [expected.clone()]);
        expected.revision = expected.revision.next();
        expected.self_assignable = false;
        expected.description = Description::default();
    }
    put(storage, a_role("a-two", &[])).await;
    let names: Vec<_> = all(storage).await.into_iter().map(|role| role.name).collect();
    let in_order = ["a-two", "admin", "m-one", "user"].map(|name| RoleName::parse(name).expect("a name"));
    assert_eq!(names, in_order);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn what_a_role_allows_is_in_force_at_once_for_every_holder(storage: &Storage) {
    let (_, session) = somebody_who_may(storage, "alice", &["users:read"]).await;
    somebody_who_may(storage, "bob", &[]).await;
    for permissions in [&["audit:read", "orders:read"][..], &[], &["users:read"]] {
        let wanted = a_role("of-alice", permissions);
        let RolePut::Now { created, holders, .. } = put_on(storage, wanted.clone()).await else {
            panic!("nothing stands against this change");
        };
        assert_eq!((created, holders), (false, 1));
        assert_eq!(viewed(storage, session.id).await.permissions, wanted.permissions);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn admin_has_every_permission_that_a_role_has_and_no_other(storage: &Storage) {
    let own: Permissions = OWN_PERMISSIONS.into();
    let (_, session) = logged_in_as(storage, an_admin("root")).await;
    for (name, permissions, more) in [
        ("one", Some(&["a:x", "b:x"][..]), &["a:x", "b:x"][..]),
        ("two", Some(&["b:x", "c:x"]), &["a:x", "b:x", "c:x"]),
        ("one", Some(&["users:read"]), &["b:x", "c:x"]),
        ("two", None, &[]),
        ("one", None, &[]),
    ] {
        match permissions {
            Some(permissions) => drop(put(storage, a_role(name, permissions)).await),
            None => assert_eq!(remove_on(storage, removal(name)).await, RoleRemoved::Now),
        }
        let expected: Permissions = own.union(&a_role("any", more).permissions).cloned().collect();
        let [admin] = find(storage, &["admin"]).await.try_into().expect("one role");
        assert_eq!(admin.permissions, expected, "{name}: {permissions:?}");
        assert_eq!(viewed(storage, session.id).await.permissions, expected);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_role_at_another_revision_is_left_alone(storage: &Storage) {
    put(storage, a_role("one", &[])).await;
    let now = put(storage, a_role("one", &["a:x"])).await.revision;
    let before = everything(storage).await;
    for (name, other) in [
        ("one", Precondition::At(Revision::FIRST)),
        ("one", Precondition::At(now.next())),
        ("new", Precondition::At(Revision::FIRST)),
        ("new", Precondition::Existing),
    ] {
        let wanted = PutRole {
            precondition: other,
            ..a_role(name, &["b:x"])
        };
        assert_eq!(put_on(storage, wanted).await, RolePut::AnotherRevision);
    }
    let other = RemoveRole {
        if_revision: Some(Revision::FIRST),
        ..removal("one")
    };
    assert_eq!(remove_on(storage, other).await, RoleRemoved::AnotherRevision);
    assert_eq!(everything(storage).await, before);
    let any = PutRole {
        precondition: Precondition::Existing,
        ..a_role("one", &["a:x"])
    };
    let now = put(storage, any).await.revision;
    let right = RemoveRole {
        if_revision: Some(now),
        ..removal("one")
    };
    assert_eq!(remove_on(storage, right).await, RoleRemoved::Now);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_catalogue_that_is_full_takes_changes_but_no_more_roles(storage: &Storage) {
    for turn in 2..MAX_ROLES {
        put(storage, a_role(&format!("role-{turn}"), &[])).await;
    }
    let before = everything(storage).await;
    assert_eq!(put_on(storage, a_role("one-more", &[])).await, RolePut::Full);
    assert_eq!(everything(storage).await, before);
    put(storage, a_role("role-7", &["a:x"])).await;
}

/// # Panics
/// When the storage breaks the contract.
pub async fn rehearsing_answers_what_would_happen_and_changes_nothing(storage: &Storage) {
    put(storage, a_role("one", &[])).await;
    let before = everything(storage).await;
    for (name, is_new) in [("one", false), ("two", true)] {
        let wanted = PutRole {
            dry_run: true,
            ..a_role(name, &["a:x"])
        };
        let answer = put_on(storage, wanted).await;
        let RolePut::Now { role, created, .. } = answer else {
            panic!("nothing stands against this change");
        };
        assert_eq!((role.permissions.len(), created), (1, is_new));
    }
    let wanted = RemoveRole {
        dry_run: true,
        ..removal("one")
    };
    assert_eq!(remove_on(storage, wanted).await, RoleRemoved::Now);
    assert_eq!(everything(storage).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn rights_to_the_catalogue_are_those_of_the_moment(storage: &Storage) {
    let (keeper, session) = somebody_who_may(storage, "keeper", &["roles:write", "a:x"]).await;
    put(storage, a_role("mighty", &["b:x"])).await;
    let by = identity(&keeper, &session);
    let answer = put_on(storage, by_word(by, a_role("mine", &["a:x"]))).await;
    assert!(matches!(answer, RolePut::Now { .. }), "{answer:?}");
    let b = Permission::parse("b:x").expect("a permission");
    for (role, denied) in [
        (a_role("mine", &["b:x"]), Denied::NotGrantable(b)),
        (a_role("mighty", &[]), Denied::OutOfReach),
    ] {
        assert_put_denied(storage, by_word(by, role), denied).await;
    }
    let reach = RemoveRole {
        authorized_by: Some(by),
        ..removal("mighty")
    };
    assert_eq!(
        remove_on(storage, reach).await,
        RoleRemoved::Denied(Denied::OutOfReach)
    );
    put(storage, a_role("of-keeper", &["a:x"])).await;
    let lacking = Denied::Forbidden(Permission::ROLES_WRITE);
    assert_put_denied(storage, by_word(by, a_role("mine", &[])), lacking.clone()).await;
    let mine = RemoveRole {
        authorized_by: Some(by),
        ..removal("mine")
    };
    assert_eq!(
        remove_on(storage, mine.clone()).await,
        RoleRemoved::Denied(lacking)
    );
    put(storage, a_role("of-keeper", &["a:x", "roles:write"])).await;
    change_roles(storage, role_change(keeper.id, &["of-keeper"])).await;
    assert_put_denied(storage, by_word(by, a_role("mine", &[])), Denied::Stale).await;
    assert_eq!(remove_on(storage, mine).await, RoleRemoved::Denied(Denied::Stale));
}

fn by_word(by: TokenIdentity, role: PutRole) -> PutRole {
    PutRole {
        authorized_by: Some(by),
        ..role
    }
}

async fn assert_put_denied(storage: &Storage, wanted: PutRole, denied: Denied) {
    let before = everything(storage).await;
    assert_eq!(put_on(storage, wanted).await, RolePut::Denied(denied));
    assert_eq!(everything(storage).await, before);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_role_is_removed_once_nobody_has_it(storage: &Storage) {
    let (alice, _) = somebody_who_may(storage, "alice", &[]).await;
    let before = everything(storage).await;
    assert_eq!(
        remove_on(storage, removal("of-alice")).await,
        RoleRemoved::InUse(1)
    );
    assert_eq!(
        remove_on(storage, removal("unheard-of")).await,
        RoleRemoved::NoSuchRole
    );
    assert_eq!(everything(storage).await, before);
    change_roles(storage, role_change(alice.id, &[])).await;
    assert_eq!(remove_on(storage, removal("of-alice")).await, RoleRemoved::Now);
    assert_eq!(all(storage).await, built_in());
    assert_eq!(
        remove_on(storage, removal("of-alice")).await,
        RoleRemoved::NoSuchRole
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn nobody_has_a_role_that_was_removed_at_that_moment(storage: &Storage) {
    let alice = registered(storage, a_user("alice")).await;
    for round in 0..20 {
        put(storage, a_role("fleeting", &["a:x"])).await;
        change_roles(storage, role_change(alice.id, &[])).await;
        let answers = race((0..2).map(|turn| {
            let (storage, alice) = (storage.clone(), alice.id);
            async move {
                if turn == 0 {
                    let given = change_roles(&storage, role_change(alice, &["fleeting"])).await;
                    matches!(given, RolesChanged::Now { .. })
                } else {
                    remove_on(&storage, removal("fleeting")).await == RoleRemoved::Now
                }
            }
        }))
        .await;
        assert_eq!(count(&answers, |done| *done), 1, "round {round}");
        let has_it = !user_now(storage, &alice).await.roles.is_empty();
        assert_eq!(
            has_it,
            !find(storage, &["fleeting"]).await.is_empty(),
            "round {round}"
        );
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn the_catalogue_leaves_an_event_for_each_change(storage: &Storage) {
    for permissions in [&["b:x", "a:x"][..], &[]] {
        put(storage, a_role("one", permissions)).await;
    }
    remove_on(storage, removal("one")).await;
    let written = |action, permissions: &str| {
        AuditEvent::new(action)
            .with("role", "one")
            .with("permissions", permissions)
            .with("self_assignable", false)
    };
    let events = storage
        .audit
        .page(AuditFilter::default(), None, 10)
        .await
        .expect("storage answers");
    let events: Vec<_> = events.into_iter().map(|row| row.event).collect();
    let expected = [
        AuditEvent::new(AuditAction::RoleRemoved).with("role", "one"),
        written(AuditAction::RoleChanged, ""),
        written(AuditAction::RoleCreated, "a:x b:x"),
    ];
    assert_eq!(events, expected, "newest first");
}
