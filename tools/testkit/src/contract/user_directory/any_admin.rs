//! Cases of [`UserDirectory::any_admin`](domain::ports::UserDirectory::any_admin).

use crate::contract::prelude::*;

cases! { user_directory::any_admin(Storage):
    an_admin_exists_while_an_active_user_has_the_role,
}

async fn an_admin_exists_while_an_active_user_has_the_role(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let any_admin = async || storage.users.any_admin().await.expect("storage is available");
    assert!(!any_admin().await, "no user exists");
    let alice = registered(core, a_user("alice")).await;
    assert!(!any_admin().await, "no user has the role");
    changed(core, set_status(alice.id, UserStatus::Disabled), 1).await;
    changed(core, Arc::new(role_change(alice.id, &["admin"])), 2).await;
    assert!(!any_admin().await, "the user with the role is disabled");
    changed(core, set_status(alice.id, UserStatus::Active), 3).await;
    assert!(any_admin().await);
    registered(core, an_admin("root")).await;
    changed(core, Arc::new(DeleteUser(account(alice.id))), 4).await;
    assert!(any_admin().await, "another administrator remains");
}
