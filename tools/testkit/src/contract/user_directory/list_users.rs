//! Cases of [`UserDirectory::list`](domain::ports::UserDirectory::list) and
//! [`UserDirectory::export`](domain::ports::UserDirectory::export).

use crate::contract::prelude::*;
use domain::login::{CanonicalLogin, LoginPrefix};

cases! { user_directory::list_users(Storage):
    users_are_listed_in_pages_in_the_order_of_their_canonical_logins,
    a_filter_selects_users_who_meet_all_of_its_parts,
    pages_are_stable_while_users_are_added_and_removed,
    a_listed_user_is_complete,
    an_export_contains_every_user_with_their_hash,
}

/// Returns all users who match `filter`, in one page.
async fn listed(storage: &Storage, filter: &UserFilter) -> Vec<User> {
    page(storage, filter, None, 1000).await
}

async fn page(
    storage: &Storage,
    filter: &UserFilter,
    after: Option<CanonicalLogin>,
    limit: u32,
) -> Vec<User> {
    storage
        .users
        .list(filter.clone(), UserPage { after, limit })
        .await
        .expect("storage is available")
}

fn last(users: &[User]) -> Option<CanonicalLogin> {
    users.last().map(|user| user.login.canonical().clone())
}

fn logins(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.login.canonical().as_str()).collect()
}

async fn users_are_listed_in_pages_in_the_order_of_their_canonical_logins(storage: &Storage) {
    // These logins contain capitals, punctuation, accents and scripts, which collations and code
    // points order differently.
    for login in "bob Alice a_b a.b a1b Ab. café cafz 日本太郎 иван Zoe".split(' ') {
        registered(&CoreStorage::of(storage), a_user(login)).await;
    }
    let all = listed(storage, &UserFilter::default()).await;
    assert_eq!(all.len(), 11);
    assert!(
        all.is_sorted_by_key(|user| user.login.canonical().clone()),
        "{all:?}"
    );
    let mut pages = Vec::new();
    for expected in [4, 4, 3, 0] {
        let next = page(storage, &UserFilter::default(), last(&pages), 4).await;
        assert_eq!(next.len(), expected);
        pages.extend(next);
    }
    assert_eq!(pages, all);
    let gap = page(storage, &UserFilter::default(), Some(canonical("bobby")), 1).await;
    assert_eq!(logins(&gap), ["cafz"]);
}

/// Returns the users who are listed for `login`, `role` and `status`. Asserts that pages of two
/// contain the same users in the same order.
async fn found(
    storage: &Storage,
    login: Option<&str>,
    role: Option<&str>,
    status: Option<UserStatus>,
) -> Vec<User> {
    let filter = UserFilter {
        login: login.map(|login| LoginPrefix::parse(login).expect("the prefix is valid")),
        role: role.map(role_name),
        status,
    };
    let whole = listed(storage, &filter).await;
    let mut pages = Vec::new();
    for _ in 0..=whole.len() {
        pages.extend(page(storage, &filter, last(&pages), 2).await);
    }
    assert_eq!(pages, whole);
    whole
}

async fn a_filter_selects_users_who_meet_all_of_its_parts(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    role_written(storage, a_role("clerk", &[])).await;
    let (clerk, both, plain) = (&["clerk"][..], &["clerk", "user"][..], &["user"][..]);
    for (login, roles, status) in [
        ("ann", clerk, UserStatus::Active),
        ("Anna", both, UserStatus::Active),
        ("anne", both, UserStatus::Disabled),
        ("annika", plain, UserStatus::Active),
        ("ann%", plain, UserStatus::Disabled),
        ("bea", clerk, UserStatus::Active),
        ("bob", &[], UserStatus::Active),
        ("日本太郎", clerk, UserStatus::Active),
    ] {
        let user = registered(core, with_roles(login, roles)).await;
        changed(core, set_status(user.id, status), 1).await;
    }
    let (active, disabled) = (Some(UserStatus::Active), Some(UserStatus::Disabled));
    for (login, role, status, expected) in [
        (None, None, disabled, &["ann%", "anne"][..]),
        (
            None,
            Some("clerk"),
            None,
            &["ann", "anna", "anne", "bea", "日本太郎"],
        ),
        (None, Some("clerk"), active, &["ann", "anna", "bea", "日本太郎"]),
        (None, Some("user"), disabled, &["ann%", "anne"]),
        (None, Some("clerk"), disabled, &["anne"]),
        (None, Some("unknown"), None, &[]),
        (None, Some("admin"), None, &[]),
        (
            Some("ANN"),
            None,
            None,
            &["ann", "ann%", "anna", "anne", "annika"],
        ),
        (Some("ann%"), None, None, &["ann%"]),
        (Some("ann_"), None, None, &[]),
        (Some("日"), None, None, &["日本太郎"]),
        (Some("ann"), None, active, &["ann", "anna", "annika"]),
        (Some("ann"), None, disabled, &["ann%", "anne"]),
        (Some("an"), Some("clerk"), None, &["ann", "anna", "anne"]),
        (Some("ann"), Some("user"), active, &["anna", "annika"]),
        (Some("c"), Some("user"), active, &[]),
    ] {
        let users = found(storage, login, role, status).await;
        assert_eq!(logins(&users), expected, "{login:?} {role:?} {status:?}");
    }
}

async fn pages_are_stable_while_users_are_added_and_removed(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let delete = async |login: &str| {
        let user = find_login(core, login).await.expect("a user has this login").user;
        changed(core, Arc::new(DeleteUser(account(user.id))), 9).await;
    };
    for role in [None, Some(RoleName::USER)] {
        let filter = UserFilter {
            role,
            ..UserFilter::default()
        };
        for login in ["bbb", "ddd", "fff", "hhh", "jjj"] {
            registered(core, a_user(login)).await;
        }
        let mut seen = page(storage, &filter, None, 2).await;
        for login in ["aaa", "ccc", "eee"] {
            registered(core, a_user(login)).await;
        }
        // Delete both users of the first page, and one of a later page.
        for login in ["bbb", "ddd", "hhh"] {
            delete(login).await;
        }
        seen.extend(page(storage, &filter, last(&seen), 2).await);
        seen.extend(page(storage, &filter, last(&seen), 2).await);
        assert_eq!(logins(&seen), ["bbb", "ddd", "eee", "fff", "jjj"]);
        for login in ["aaa", "ccc", "eee", "fff", "jjj"] {
            delete(login).await;
        }
    }
}

async fn a_listed_user_is_complete(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let (alice, _) = logged_in(core, "Alice").await;
    let reset = a_reset(account(alice.id), another_hash());
    let alice = changed(core, Arc::new(reset), 5).await;
    let admin = registered(core, an_admin("root")).await;
    assert_eq!(listed(storage, &UserFilter::default()).await, [alice, admin]);
}

async fn an_export_contains_every_user_with_their_hash(storage: &Storage) {
    for login in ["carol", "Alice", "bob"] {
        registered(&CoreStorage::of(storage), a_user(login)).await;
    }
    let (mut exported, mut after) = (Vec::new(), None);
    for expected in [2, 1, 0] {
        let page = UserPage { after, limit: 2 };
        let next = storage.users.export(page).await.expect("storage is available");
        assert_eq!(next.len(), expected);
        exported.extend(next);
        after = exported.last().map(|kept| kept.user.login.canonical().clone());
    }
    let users: Vec<_> = exported.iter().map(|kept| kept.user.clone()).collect();
    assert_eq!(users, listed(storage, &UserFilter::default()).await);
    for kept in exported {
        let stored = credentials(&CoreStorage::of(storage), &kept.user).await;
        assert_eq!(kept.hash, stored.hash);
    }
}
