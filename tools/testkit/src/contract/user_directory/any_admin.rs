//! [`UserDirectory::any_admin`](domain::ports::UserDirectory::any_admin).

use crate::{
    CoreStorage, Storage,
    contract::support::{applied, registered, set_status},
    fixtures::{a_user, account, an_admin, at, context, role_change},
};
use domain::{changes::DeleteUser, user::UserStatus};
use std::sync::Arc;

cases! { user_directory::any_admin(Storage):
    there_is_an_admin_while_an_active_user_is_one,
}

async fn there_is_an_admin_while_an_active_user_is_one(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let any_admin = async || storage.users.any_admin().await.expect("storage answers");
    assert!(!any_admin().await, "there is no user");
    let alice = registered(core, a_user("alice")).await;
    assert!(!any_admin().await, "no user has the role");
    let disable = set_status(alice.id, UserStatus::Disabled);
    applied(core, disable, context(at(1))).await;
    let promote = Arc::new(role_change(alice.id, &["admin"]));
    applied(core, promote, context(at(2))).await;
    assert!(!any_admin().await, "the one who has it is disabled");
    let enable = set_status(alice.id, UserStatus::Active);
    applied(core, enable, context(at(3))).await;
    assert!(any_admin().await);
    registered(core, an_admin("root")).await;
    let delete = Arc::new(DeleteUser(account(alice.id)));
    applied(core, delete, context(at(4))).await;
    assert!(any_admin().await, "another one remains");
}
