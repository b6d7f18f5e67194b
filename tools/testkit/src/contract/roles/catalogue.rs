//! [`Roles::find`](domain::ports::Roles::find) and [`Roles::list`](domain::ports::Roles::list).

use super::find;
use crate::{Storage, contract::support::role_written, fixtures::a_role};
use domain::role::built_in;

cases! { roles::catalogue(Storage):
    the_built_in_roles_exist_from_the_start,
    roles_that_do_not_exist_are_left_out,
    roles_are_listed_in_the_order_of_their_names,
}

async fn the_built_in_roles_exist_from_the_start(storage: &Storage) {
    assert_eq!(find(storage, &["admin", "user"]).await, built_in());
    for role in built_in() {
        assert_eq!(find(storage, &[role.name.as_str()]).await, [role]);
    }
    assert_eq!(storage.roles.list().await.expect("storage answers"), built_in());
}

async fn roles_that_do_not_exist_are_left_out(storage: &Storage) {
    let [_, user] = built_in();
    assert_eq!(find(storage, &["adm", "unknown", "user", "user-"]).await, [user]);
    assert_eq!(find(storage, &["unknown"]).await, []);
    assert_eq!(find(storage, &[]).await, []);
}

async fn roles_are_listed_in_the_order_of_their_names(storage: &Storage) {
    for name in ["m-one", "a-two", "z", "m_two", "m-1"] {
        role_written(storage, a_role(name, &[])).await;
    }
    let roles = storage.roles.list().await.expect("storage answers");
    let names: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
    let mut in_order = vec!["a-two", "admin", "m-one", "user", "z", "m_two", "m-1"];
    in_order.sort_unstable();
    assert_eq!(names, in_order);
}
