use domain::{
    ports::{ChangeRoles, PortError},
    revision::Revision,
    role::{Description, Permission, Role},
};
use std::error::Error;
use testkit::{
    MemoryStorage,
    fixtures::{a_session, a_user, at, canonical, context, role_change, role_names},
};

testkit::storage_contract!(crate::fresh);

#[tokio::test]
async fn a_storage_that_went_away_answers_nothing_and_comes_back_as_it_was() {
    let memory = MemoryStorage::default();
    let storage = memory.storage();
    memory.go_away();
    let inserted = storage.users.insert(a_user("alice"), context(at(0))).await;
    let Err(refused @ PortError::Unavailable(_)) = inserted else {
        panic!("{inserted:?}");
    };
    assert_eq!(
        refused.source().map(ToString::to_string).as_deref(),
        Some("the storage was told to go away")
    );
    assert!(matches!(
        storage.health.check().await,
        Err(PortError::Unavailable(_))
    ));

    memory.come_back();

    assert!(storage.health.check().await.is_ok());
    let alice = storage.users.find_by_login(&canonical("alice")).await;
    assert!(matches!(alice, Ok(None)));
}

#[tokio::test]
async fn a_view_unites_the_permissions_of_added_roles() {
    let memory = MemoryStorage::default();
    let storage = memory.storage();
    for (name, permissions) in [
        ("reader", [Permission::USERS_READ, Permission::AUDIT_READ]),
        ("writer", [Permission::USERS_READ, Permission::USERS_WRITE]),
    ] {
        memory.add_role(Role {
            name: role_names(&[name]).pop_first().expect("a name"),
            description: Description::default(),
            permissions: permissions.into(),
            self_assignable: false,
            revision: Revision::FIRST,
        });
    }
    let alice = a_user("alice");
    let session = a_session(alice.id, at(1));
    let (id, epoch) = (session.id, domain::user::Epoch::FIRST);
    let change = ChangeRoles {
        keep_sessions: true,
        ..role_change(alice.id, &["reader", "writer"])
    };
    storage
        .users
        .insert(alice, context(at(0)))
        .await
        .expect("storage answers");
    storage
        .sessions
        .open(session, epoch, 1, context(at(1)))
        .await
        .expect("storage answers");

    storage
        .users
        .change_roles(change, context(at(2)))
        .await
        .expect("storage answers");

    let snapshot = storage
        .snapshots
        .snapshot(id)
        .await
        .expect("storage answers")
        .expect("a view");
    let union = [
        Permission::USERS_READ,
        Permission::USERS_WRITE,
        Permission::AUDIT_READ,
    ];
    assert_eq!(snapshot.permissions, union.into());
}
