//! [`DeleteRole`], and commands on accounts that race it.

use super::{everything, execute, execute_unchecked, find, removal};
use crate::{
    CoreStorage, Storage,
    contract::support::{self, applied, count, decided, race, registered, role_written},
    fixtures::{a_role, a_user, at, context, role_change, role_names},
};
use domain::{
    changes::{Command, ImportUsers, RegisterUser},
    user::{ImportedUser, NewUser, UserId, UserStatus},
};
use std::{pin::Pin, sync::Arc};

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

/// Runs `give`, which gives the role "fleeting" to the user `id`, and a removal of the role at
/// once. Asserts that one of them happens, and that the role exists only if the user has it.
async fn assert_had_or_gone(
    storage: &Storage,
    id: UserId,
    give: impl Future<Output = bool> + Send + 'static,
) {
    let removal = {
        let storage = storage.clone();
        async move {
            execute_unchecked(&storage, Arc::new(removal("fleeting")))
                .await
                .is_ok()
        }
    };
    let calls: [Pin<Box<dyn Future<Output = bool> + Send>>; 2] = [Box::pin(give), Box::pin(removal)];
    let results = race(calls).await;
    assert_eq!(count(&results, |happened| *happened), 1);
    let user = storage.accounts.find(id).await.expect("storage answers");
    let has_role = user.is_some_and(|user| !user.roles.is_disjoint(&role_names(&["fleeting"])));
    assert_eq!(has_role, !find(storage, &["fleeting"]).await.is_empty());
    if has_role {
        let take = Arc::new(role_change(id, &[]));
        applied(&CoreStorage::of(storage), take, context(at(6))).await;
    }
}

/// Returns whether `command` was executed.
async fn is_executed(storage: CoreStorage, command: Arc<dyn Command>) -> bool {
    support::execute(&storage, command, context(at(5))).await.is_ok()
}

async fn a_role_that_is_removed_while_it_is_assigned_is_had_or_gone(storage: &Storage) {
    let alice = registered(&CoreStorage::of(storage), a_user("alice")).await;
    for _ in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let assign = Arc::new(role_change(alice.id, &["fleeting"]));
        assert_had_or_gone(storage, alice.id, is_executed(CoreStorage::of(storage), assign)).await;
    }
}

async fn a_role_that_is_removed_while_a_user_registers_is_had_or_gone(storage: &Storage) {
    for round in 0..20 {
        role_written(storage, a_role("fleeting", &["a:x"])).await;
        let new = NewUser {
            roles: role_names(&["fleeting"]),
            ..a_user(&format!("user{round}"))
        };
        let (id, register) = (new.id, Arc::new(RegisterUser(new)));
        assert_had_or_gone(storage, id, is_executed(CoreStorage::of(storage), register)).await;
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
        let directory = storage.users.clone();
        let import = async move {
            let import = || directory.import(users.clone(), context(at(5)));
            support::answered(import).await.iter().all(Result::is_ok)
        };
        assert_had_or_gone(storage, id, import).await;
    }
}
