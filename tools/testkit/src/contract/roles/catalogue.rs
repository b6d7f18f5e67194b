//! Cases of [`Roles::find`](domain::ports::Roles::find) and
//! [`Roles::list`](domain::ports::Roles::list).

use super::find;
use crate::contract::prelude::*;

cases! { roles::catalogue(Storage):
    the_built_in_roles_exist_from_the_start,
    roles_are_listed_in_the_order_of_their_names,
}

async fn the_built_in_roles_exist_from_the_start(storage: &Storage) {
    let [admin, user] = built_in();
    assert_eq!(
        storage.roles.list().await.expect("storage is available"),
        built_in()
    );
    for (names, roles) in [
        (&["admin", "user"][..], vec![admin.clone(), user.clone()]),
        (&["admin"], vec![admin]),
        (&["adm", "unknown", "user", "user-"], vec![user]),
        (&["unknown"], vec![]),
        (&[], vec![]),
    ] {
        assert_eq!(find(storage, names).await, roles, "{names:?}");
    }
}

async fn roles_are_listed_in_the_order_of_their_names(storage: &Storage) {
    for name in ["m-one", "a-two", "z", "m_two", "m-1"] {
        role_written(storage, a_role(name, &[])).await;
    }
    let roles = storage.roles.list().await.expect("storage is available");
    let names: Vec<_> = roles.iter().map(|role| role.name.as_str()).collect();
    let mut in_order = vec!["a-two", "admin", "m-one", "user", "z", "m_two", "m-1"];
    in_order.sort_unstable();
    assert_eq!(names, in_order);
}
