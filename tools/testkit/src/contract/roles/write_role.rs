//! Cases of [`WriteRole`].

use super::{assert_dry_run, everything, execute, execute_unchecked, find, removal};
use crate::contract::prelude::*;
use domain::{
    changes::RoleWritten,
    revision::{Precondition, Revision},
    role::{Description, OWN_PERMISSIONS},
};

cases! { roles::write_role(Storage):
    a_written_role_is_in_the_catalogue,
    an_unchanged_role_keeps_its_revision_and_is_not_recorded,
    a_written_role_takes_effect_at_once_for_every_user_who_has_it,
    admin_has_every_permission_that_a_role_has_and_no_other,
    a_dry_run_returns_what_the_execution_returns_and_writes_nothing,
    no_permission_of_many_concurrent_roles_is_lost_for_admin,
    one_of_many_concurrent_writes_at_one_revision_happens,
}

async fn write(storage: &Storage, role: WriteRole) -> RoleWritten {
    let written = execute(storage, Arc::new(role)).await;
    let written = written.and_then(CatalogueChange::into_written);
    written.expect("the rules allow the role")
}

async fn a_written_role_is_in_the_catalogue(storage: &Storage) {
    let mut expected = Role {
        name: role_name("m-one"),
        description: Description::parse("it's \"one\" — ½ 🦀").expect("the description is valid"),
        permissions: Permissions::new(),
        self_assignable: true,
        revision: Revision::FIRST.next(),
    };
    for (created, permissions) in [
        (true, &["users:read", "orders:write"][..]),
        (false, &["orders:write", "orders:read"]),
        (false, &[]),
    ] {
        let wanted = WriteRole {
            description: expected.description.clone(),
            self_assignable: expected.self_assignable,
            ..a_role("m-one", permissions)
        };
        expected.permissions = wanted.permissions.clone();
        let written = RoleWritten {
            role: expected.clone(),
            created,
            holders: 0,
        };
        assert_eq!(write(storage, wanted).await, written);
        assert_eq!(find(storage, &["m-one"]).await, [expected.clone()]);
        expected.revision = expected.revision.next();
        expected.self_assignable = false;
        expected.description = Description::default();
    }
}

async fn an_unchanged_role_keeps_its_revision_and_is_not_recorded(storage: &Storage) {
    let first = write(storage, a_role("one", &["a:x", "b:x"])).await;
    let before = everything(storage).await;
    assert_dry_run(storage, Arc::new(a_role("one", &["b:x", "a:x"]))).await;
    assert_eq!(everything(storage).await, before);
    let repeated = RoleWritten {
        created: false,
        ..first
    };
    assert_eq!(write(storage, a_role("one", &["a:x", "b:x"])).await, repeated);
}

async fn a_written_role_takes_effect_at_once_for_every_user_who_has_it(storage: &Storage) {
    let (_, session) = logged_in_with(storage, "alice", &["users:read"]).await;
    logged_in_with(storage, "bob", &[]).await;
    for permissions in [&["audit:read", "orders:read"][..], &[], &["users:read"]] {
        let wanted = a_role("of-alice", permissions);
        let written = write(storage, wanted.clone()).await;
        assert_eq!((written.created, written.holders), (false, 1));
        let snapshot = snapshot(&CoreStorage::of(storage), session.id).await;
        assert_eq!(snapshot.permissions, wanted.permissions);
    }
}

async fn admin_has_every_permission_that_a_role_has_and_no_other(storage: &Storage) {
    let own: Permissions = OWN_PERMISSIONS.into();
    let (_, session) = logged_in_as(&CoreStorage::of(storage), an_admin("root")).await;
    for (name, permissions, more) in [
        ("one", Some(&["a:x", "b:x"][..]), &["a:x", "b:x"][..]),
        ("two", Some(&["b:x", "c:x"]), &["a:x", "b:x", "c:x"]),
        ("one", Some(&["users:read"]), &["b:x", "c:x"]),
        ("two", None, &[]),
        ("one", None, &[]),
    ] {
        if let Some(permissions) = permissions {
            write(storage, a_role(name, permissions)).await;
        } else {
            let removed = execute(storage, Arc::new(removal(name))).await;
            assert!(removed.is_ok(), "{removed:?}");
        }
        let expected: Permissions = own.union(&a_role("any", more).permissions).cloned().collect();
        let [admin] = find(storage, &["admin"])
            .await
            .try_into()
            .expect("the catalogue contains admin");
        assert_eq!(admin.permissions, expected, "{name}: {permissions:?}");
        let snapshot = snapshot(&CoreStorage::of(storage), session.id).await;
        assert_eq!(snapshot.permissions, expected);
    }
}

async fn a_dry_run_returns_what_the_execution_returns_and_writes_nothing(storage: &Storage) {
    logged_in_with(storage, "alice", &["a:x"]).await;
    for (name, permissions) in [("of-alice", &["b:x"][..]), ("new", &["b:x", "c:x"])] {
        assert_dry_run(storage, Arc::new(a_role(name, permissions))).await;
    }
}

async fn no_permission_of_many_concurrent_roles_is_lost_for_admin(storage: &Storage) {
    let names: Vec<_> = (0..20).map(|turn| format!("role-{turn}")).collect();
    let permissions: Vec<_> = (0..20).map(|turn| format!("p{turn}:x")).collect();
    race(names.iter().zip(&permissions).map(|(name, permission)| {
        let (storage, role) = (storage.clone(), a_role(name, &[permission]));
        async move {
            let written = execute_unchecked(&storage, Arc::new(role)).await;
            assert!(written.is_ok(), "{written:?}");
        }
    }))
    .await;
    let permissions: Vec<_> = permissions.iter().map(String::as_str).collect();
    let mut expected = a_role("any", &permissions).permissions;
    expected.extend(OWN_PERMISSIONS);
    let [admin] = find(storage, &["admin"])
        .await
        .try_into()
        .expect("the catalogue contains admin");
    assert_eq!(admin.permissions, expected);
    let (roles, events) = everything(storage).await;
    assert_eq!((roles.len(), events.len()), (22, 20));
}

async fn one_of_many_concurrent_writes_at_one_revision_happens(storage: &Storage) {
    let now = write(storage, a_role("one", &[])).await.role.revision;
    let results = race((0..10).map(|_| {
        let storage = storage.clone();
        let wanted = WriteRole {
            precondition: Precondition::At(now),
            ..a_role("one", &["a:x"])
        };
        async move { execute_unchecked(&storage, Arc::new(wanted)).await.map(drop) }
    }))
    .await;
    assert_eq!(count(&results, Result::is_ok), 1);
    let mismatch = Err(Refusal::RevisionMismatch);
    assert_eq!(count(&results, |it| *it == mismatch), 9);
}
