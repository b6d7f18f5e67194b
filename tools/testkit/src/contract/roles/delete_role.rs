//! [`DeleteRole`], and commands on accounts that race it.

use super::{everything, execute, execute_unchecked, find, removal};
use crate::{
    Storage,
    contract::support::{self, applied, count, decided, race, registered, role_written, user_now},
    fixtures::{a_role, a_user, at, context, role_change, role_names},
};
use domain::{
    changes::{ImportUsers, RegisterUser},
    user::{ImportedUser, NewUser, UserStatus},
};
use std::sync::Arc;

cases! { roles::delete_role(Storage):
    a_dry_run_of_a_removal_writes_nothing,
    a_role_that_is_removed_while_it_is_assigned_is_had_or_gone,
    a_role_that_is_removed_while_a_user_registers_is_had_or_gone,
    a_role_that_is_removed_while_users_are_imported_is_had_or_gone,
}

async fn a_dry_run_of_a_removal_writes_nothing(storage: &Storage) {
    role_written(storage, a_role("one", &["a:x"])).await;
    let before = everything(storage).await;
    let command = Arc::new(removal("one"));
    let dry = decided(|| storage.roles.dry_run(command.clone(), context(at(5)))).await;
    assert_eq!(everything(storage).await, before);
    assert!(dry.is_ok(), "{dry:?}");
    assert_eq!(execute(storage, command).await, dry);
}

async fn is_in_catalogue(storage: &Storage) -> bool {
    !find(storage, &["fleeting"]).await.is_empty()
}

async fn is_removed(storage: &Storage) -> bool {
    let removed = execute_unchecked(storage, Arc::new(removal("fleeting"))).await;
    removed.is_ok()
}

async fn a_role_that_is_removed_while_it_is_assigned_is_had_or_gone(storage: &Storage) {
    let core = storage.core();
    let alice = registered(&core, a_user("alice")).await;
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let take = Arc::new(role_change(alice.id, &[]));
        applied(&core, take, context(at(4))).await;
        let results = race((0..2).map(|turn| {
            let (storage, alice) = (storage.clone(), alice.id);
            async move {
                if turn == 0 {
                    let give = Arc::new(role_change(alice, &["fleeting"]));
                    let given = support::execute(&storage.core(), give, context(at(5))).await;
                    given.is_ok()
                } else {
                    is_removed(&storage).await
                }
            }
        }))
        .await;
        assert_eq!(count(&results, |happened| *happened), 1, "round {round}");
        let has_role = !user_now(&core, &alice).await.roles.is_empty();
        assert_eq!(has_role, is_in_catalogue(storage).await, "round {round}");
    }
}

async fn a_role_that_is_removed_while_a_user_registers_is_had_or_gone(storage: &Storage) {
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let new = NewUser {
            roles: role_names(&["fleeting"]),
            ..a_user(&format!("user{round}"))
        };
        let id = new.id;
        let results = race((0..2).map(|turn| {
            let (storage, new) = (storage.clone(), new.clone());
            async move {
                if turn == 0 {
                    let register = Arc::new(RegisterUser(new));
                    let stored = support::execute(&storage.core(), register, context(at(5))).await;
                    stored.is_ok()
                } else {
                    is_removed(&storage).await
                }
            }
        }))
        .await;
        assert_eq!(count(&results, |happened| *happened), 1, "round {round}");
        let found = storage.accounts.find(id).await.expect("storage answers");
        assert_eq!(found.is_some(), is_in_catalogue(storage).await, "round {round}");
        if found.is_some() {
            let take = Arc::new(role_change(id, &[]));
            applied(&storage.core(), take, context(at(6))).await;
        }
    }
}

async fn a_role_that_is_removed_while_users_are_imported_is_had_or_gone(storage: &Storage) {
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let new = a_user(&format!("user{round}"));
        let id = new.id;
        let users = ImportUsers(vec![ImportedUser {
            id,
            login: new.login,
            hash: new.hash,
            roles: role_names(&["fleeting"]),
            status: UserStatus::Active,
            created_at: at(0),
        }]);
        let results = race((0..2).map(|turn| {
            let (storage, users) = (storage.clone(), users.clone());
            async move {
                if turn == 0 {
                    let import = || storage.users.import(users.clone(), context(at(5)));
                    support::answered(import).await.iter().all(Result::is_ok)
                } else {
                    is_removed(&storage).await
                }
            }
        }))
        .await;
        assert_eq!(count(&results, |happened| *happened), 1, "round {round}");
        let found = storage.accounts.find(id).await.expect("storage answers");
        assert_eq!(found.is_some(), is_in_catalogue(storage).await, "round {round}");
        if found.is_some() {
            let take = Arc::new(role_change(id, &[]));
            applied(&storage.core(), take, context(at(6))).await;
        }
    }
}
