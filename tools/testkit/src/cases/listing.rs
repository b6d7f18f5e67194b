//! The contract of [`Users::list`](domain::ports::Users::list), [`Users::export`](domain::ports::Users::export) and
//! [`Users::find`](domain::ports::Users::find).

use super::support::{credentials, listed, logged_in, put, registered, user_now};
use crate::{
    Storage,
    fixtures::{a_role, a_user, administer, an_admin, at, canonical, context, role_names},
};
use domain::{
    login::{CanonicalLogin, LoginPrefix},
    role::RoleName,
    user::{NewUser, User, UserFilter, UserPage, UserStatus},
};

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
        .expect("storage answers")
}

fn last(users: &[User]) -> Option<CanonicalLogin> {
    users.last().map(|user| user.login.canonical().clone())
}

fn logins(users: &[User]) -> Vec<&str> {
    users.iter().map(|user| user.login.canonical().as_str()).collect()
}

/// # Panics
/// When the storage breaks the contract.
pub async fn users_are_listed_in_pages_in_the_order_of_their_canonical_logins(storage: &Storage) {
    // The order of code points, which a locale's collation would not keep: capitals, punctuation, accents, scripts.
    for login in "bob Alice a_b a.b a1b Ab. café cafz 日本太郎 иван Zoe".split(' ') {
        registered(storage, a_user(login)).await;
    }
    let everybody = listed(storage, &UserFilter::default()).await;
    assert_eq!(everybody.len(), 11);
    assert!(
        everybody.is_sorted_by_key(|user| user.login.canonical().clone()),
        "{everybody:?}"
    );
    let mut pages = Vec::new();
    for expected in [4, 4, 3, 0] {
        let next = page(storage, &UserFilter::default(), last(&pages), 4).await;
        assert_eq!(next.len(), expected);
        pages.extend(next);
    }
    assert_eq!(pages, everybody);
    let gap = page(storage, &UserFilter::default(), Some(canonical("bobby")), 1).await;
    assert_eq!(logins(&gap), ["cafz"]);
}

/// Who is listed for `login`, `role` and `status`, in pages of two.
async fn found(
    storage: &Storage,
    login: Option<&str>,
    role: Option<&str>,
    status: Option<UserStatus>,
) -> Vec<User> {
    let filter = UserFilter {
        login: login.map(|login| LoginPrefix::parse(login).expect("a prefix")),
        role: role.map(|role| RoleName::parse(role).expect("a role's name")),
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

/// # Panics
/// When the storage breaks the contract.
pub async fn a_filter_holds_for_whoever_meets_all_of_its_parts(storage: &Storage) {
    put(storage, a_role("clerk", &[])).await;
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
        let new = NewUser {
            roles: role_names(roles),
            ..a_user(login)
        };
        let user = registered(storage, new).await;
        storage
            .users
            .set_status(administer(user.id), status, context(at(1)))
            .await
            .expect("storage answers");
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
        // Behind these comes another role.
        (None, Some("clerk"), disabled, &["anne"]),
        (None, Some("unheard-of"), None, &[]),
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

/// # Panics
/// When the storage breaks the contract.
pub async fn pages_are_stable_while_users_come_and_go(storage: &Storage) {
    for filter in [
        UserFilter::default(),
        UserFilter {
            role: Some(RoleName::USER),
            ..UserFilter::default()
        },
    ] {
        for login in ["bbb", "ddd", "fff", "hhh", "jjj"] {
            registered(storage, a_user(login)).await;
        }
        let mut seen = page(storage, &filter, None, 2).await;
        for login in ["aaa", "ccc", "eee"] {
            registered(storage, a_user(login)).await;
        }
        // One of the page, its last, and one who is still to come.
        for login in ["bbb", "ddd", "hhh"] {
            delete(storage, &by_login(storage, login).await).await;
        }
        seen.extend(page(storage, &filter, last(&seen), 2).await);
        seen.extend(page(storage, &filter, last(&seen), 2).await);
        assert_eq!(logins(&seen), ["bbb", "ddd", "eee", "fff", "jjj"]);
        for user in listed(storage, &UserFilter::default()).await {
            delete(storage, &user).await;
        }
    }
}

async fn by_login(storage: &Storage, login: &str) -> User {
    let known = storage.users.find_by_login(&canonical(login)).await;
    known
        .expect("storage answers")
        .expect("a user who was stored")
        .user
}

async fn delete(storage: &Storage, user: &User) {
    storage
        .users
        .delete(administer(user.id), context(at(9)))
        .await
        .expect("storage answers");
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_listed_user_is_whole(storage: &Storage) {
    let (alice, _) = logged_in(storage, "Alice").await;
    storage
        .users
        .reset_password(administer(alice.id), a_user("alice").hash, context(at(5)))
        .await
        .expect("storage answers");
    let admin = registered(storage, an_admin("root")).await;
    let alice = user_now(storage, &alice).await;
    assert_eq!(
        listed(storage, &UserFilter::default()).await,
        [alice.clone(), admin]
    );
    let found = storage.users.find(alice.id).await.expect("storage answers");
    assert_eq!(found, Some(alice));
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_export_has_everybody_with_their_hash(storage: &Storage) {
    for login in ["carol", "Alice", "bob"] {
        registered(storage, a_user(login)).await;
    }
    let (mut exported, mut after) = (Vec::new(), None);
    for expected in [2, 1, 0] {
        let page = UserPage { after, limit: 2 };
        let next = storage.users.export(page).await.expect("storage answers");
        assert_eq!(next.len(), expected);
        exported.extend(next);
        after = exported.last().map(|kept| kept.user.login.canonical().clone());
    }
    let users: Vec<_> = exported.iter().map(|kept| kept.user.clone()).collect();
    assert_eq!(users, listed(storage, &UserFilter::default()).await);
    for kept in exported {
        assert_eq!(kept.hash, credentials(storage, &kept.user).await.hash);
    }
}
