//! The contract of [`Roles`](domain::ports::Roles).

use crate::{Storage, fixtures::role_names};
use domain::role::{Role, built_in};

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
