//! Cases of [`DeleteRole`], and of commands on accounts that race it.

use super::{assert_dry_run, execute, execute_unchecked, find, removal};
use crate::contract::{prelude::*, support};
use std::pin::Pin;

cases! { roles::delete_role(Storage):
    a_dry_run_of_a_removal_writes_nothing,
    a_role_in_place_of_a_removed_one_has_a_new_revision,
    a_removal_that_races_an_assignment_leaves_no_user_with_a_missing_role,
    a_removal_that_races_a_registration_leaves_no_user_with_a_missing_role,
    a_removal_that_races_an_import_leaves_no_user_with_a_missing_role,
}

async fn a_dry_run_of_a_removal_writes_nothing(storage: &Storage) {
    role_written(storage, a_role("one", &["a:x"])).await;
    assert_dry_run(storage, Arc::new(removal("one"))).await;
}

async fn a_role_in_place_of_a_removed_one_has_a_new_revision(storage: &Storage) {
    let mut seen = Vec::new();
    // A role without permissions changes nothing else in the catalogue.
    for (name, permissions) in [
        ("one", &["a:x"][..]),
        ("two", &["a:x"]),
        ("one", &[]),
        ("one", &[]),
        ("two", &[]),
    ] {
        role_written(storage, a_role(name, permissions)).await;
        let [role] = find(storage, &[name]).await.try_into().expect("one role");
        seen.push(role.revision);
        let removed = execute(storage, Arc::new(removal(name))).await;
        assert!(removed.is_ok(), "{removed:?}");
    }
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
}

/// Runs `give`, which gives the role "fleeting" to the user `id`, and a removal of the role
/// concurrently. Asserts that one of them happens, and that the role exists only if the user has
/// it.
async fn assert_held_or_removed(
    storage: &Storage,
    id: UserId,
    give: impl Future<Output = bool> + Send + 'static,
) {
    let catalogue = storage.clone();
    let removal = async move {
        let removed = execute_unchecked(&catalogue, Arc::new(removal("fleeting"))).await;
        removed.is_ok()
    };
    let calls: [Pin<Box<dyn Future<Output = bool> + Send>>; 2] = [Box::pin(give), Box::pin(removal)];
    let results = race(calls).await;
    assert_eq!(count(&results, |happened| *happened), 1);
    let core = &CoreStorage::of(storage);
    let user = find_user(core, id).await;
    let has_role = user.is_some_and(|user| !user.roles.is_disjoint(&role_names(&["fleeting"])));
    assert_eq!(has_role, !find(storage, &["fleeting"]).await.is_empty());
    if has_role {
        changed(core, Arc::new(role_change(id, &[])), 6).await;
    }
}

/// Returns whether `command` was executed.
async fn is_executed(storage: CoreStorage, command: Arc<dyn Command>) -> bool {
    support::execute(&storage, command, context(at(5))).await.is_ok()
}

async fn a_removal_that_races_an_assignment_leaves_no_user_with_a_missing_role(storage: &Storage) {
    let alice = registered(&CoreStorage::of(storage), a_user("alice")).await;
    for _ in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let assign = Arc::new(role_change(alice.id, &["fleeting"]));
        assert_held_or_removed(storage, alice.id, is_executed(CoreStorage::of(storage), assign)).await;
    }
}

async fn a_removal_that_races_a_registration_leaves_no_user_with_a_missing_role(storage: &Storage) {
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let new = with_roles(&format!("user{round}"), &["fleeting"]);
        let (id, register) = (new.id, Arc::new(RegisterUser(new)));
        assert_held_or_removed(storage, id, is_executed(CoreStorage::of(storage), register)).await;
    }
}

async fn a_removal_that_races_an_import_leaves_no_user_with_a_missing_role(storage: &Storage) {
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let user = imported(&format!("user{round}"), &["fleeting"]);
        let (id, users) = (user.id, ImportUsers(vec![user]));
        let directory = storage.users.clone();
        let import = async move {
            let import = || directory.import(users.clone(), context(at(5)));
            answered(import).await.iter().all(Result::is_ok)
        };
        assert_held_or_removed(storage, id, import).await;
    }
}
