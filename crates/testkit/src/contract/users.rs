//! The contract of [`Users`](domain::ports::Users): storing, finding and listing them. Changes have files of their own.

use super::support::{Everything, count, credentials, logged_in, race, registered, trail, user_now};
use crate::{
    Storage,
    fixtures::{a_user, an_admin, at, canonical, role_names, stamp},
};
use domain::{
    ports::{ChangeRoles, Inserted},
    user::{NewUser, User, UserId, UserStatus},
};

/// # Panics
/// When the storage breaks the contract.
pub async fn a_stored_user_is_found_by_login(storage: &Storage) {
    let new = a_user("alice");
    let expected = new.registered_at(at(0));
    let inserted = storage
        .users
        .insert(new.clone(), stamp(at(0)))
        .await
        .expect("storage answers");
    assert_eq!(inserted, Inserted::Now(expected.clone()));
    let kept = credentials(storage, &expected).await;
    assert_eq!(kept.user, expected, "times to the microsecond included");
    assert_eq!(kept.hash.as_phc(), new.hash.as_phc());
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_login_nobody_has_is_not_found(storage: &Storage) {
    registered(storage, a_user("alice")).await;
    for stranger in ["alic", "alicea", "al%ce", "al_ce", "al*ce", "'or'1'='1"] {
        let found = storage
            .users
            .find_by_login(&canonical(stranger))
            .await
            .expect("storage answers");
        assert!(found.is_none(), "{stranger}");
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_login_is_kept_as_typed_and_found_by_its_canonical_form(storage: &Storage) {
    for (typed, canonically) in [
        ("Alice", "alice"),
        ("Ｂｏｂｂｙ", "bobby"),
        ("CAFE\u{301}", "café"),
        ("Иван", "иван"),
        ("日本太郎", "日本太郎"),
        ("O'Brien;--\"", "o'brien;--\""),
        ("Ann@Example.com", "ann@example.com"),
    ] {
        let user = registered(storage, a_user(typed)).await;
        let found = storage
            .users
            .find_by_login(&canonical(canonically))
            .await
            .expect("storage answers")
            .expect("the user who was stored");
        assert_eq!(found.user, user);
        assert_eq!(found.user.login.as_typed(), typed);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_login_is_taken_in_every_spelling(storage: &Storage) {
    let (alice, session) = logged_in(storage, "Alice").await;
    let before = Everything::of(storage, &alice, &[session.id]).await;
    for spelling in ["alice", "Alice", "ALICE", "Ａｌｉｃｅ"] {
        let late = a_user(spelling);
        let id = late.id;
        let inserted = storage
            .users
            .insert(late, stamp(at(5)))
            .await
            .expect("storage answers");
        assert_eq!(inserted, Inserted::LoginTaken, "{spelling}");
        assert_nothing_of(storage, id).await;
    }
    assert_eq!(Everything::of(storage, &alice, &[session.id]).await, before);
    assert_eq!(all(storage).await, [user_now(storage, &alice).await]);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn one_of_many_concurrent_inserts_of_a_login_stores_a_user(storage: &Storage) {
    let answers = race((0..50).map(|spelling| {
        let users = storage.users.clone();
        async move {
            users
                .insert(a_user(&spelt("carols", spelling)), stamp(at(0)))
                .await
                .expect("storage answers")
        }
    }))
    .await;
    assert_eq!(count(&answers, |it| matches!(it, Inserted::Now(_))), 1);
    assert_eq!(count(&answers, |it| *it == Inserted::LoginTaken), 49);
    let stored = all(storage).await;
    let [only] = stored.as_slice() else {
        panic!("one user is stored, not {}", stored.len());
    };
    assert!(answers.contains(&Inserted::Now(only.clone())));
    assert_eq!(trail(storage, only).await.len(), 1);
}

/// `word` with capitals where `spelling` has ones.
fn spelt(word: &str, spelling: u32) -> String {
    word.chars()
        .enumerate()
        .map(|(place, c)| {
            if spelling >> place & 1 == 1 {
                c.to_ascii_uppercase()
            } else {
                c
            }
        })
        .collect()
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_user_with_an_unknown_role_is_not_stored(storage: &Storage) {
    let new = NewUser {
        roles: role_names(&["unheard-of", "user"]),
        ..a_user("alice")
    };
    let id = new.id;
    let inserted = storage
        .users
        .insert(new, stamp(at(0)))
        .await
        .expect("storage answers");
    assert_eq!(inserted, Inserted::UnknownRole);
    assert_nothing_of(storage, id).await;
    assert!(all(storage).await.is_empty());
    registered(storage, a_user("alice")).await;
}

async fn assert_nothing_of(storage: &Storage, id: UserId) {
    let rows = storage.audit.of_user(id).await.expect("storage answers");
    assert!(rows.is_empty(), "{rows:?}");
}

async fn all(storage: &Storage) -> Vec<User> {
    storage.users.list(None, 1000).await.expect("storage answers")
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_user_may_have_no_roles_or_many(storage: &Storage) {
    for (login, roles) in [
        ("nobody", role_names(&[])),
        ("everybody", role_names(&["admin", "user"])),
    ] {
        let new = NewUser {
            roles: roles.clone(),
            ..a_user(login)
        };
        let user = registered(storage, new).await;
        assert_eq!(user.roles, roles);
        assert_eq!(user_now(storage, &user).await, user);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn users_are_listed_in_pages_in_the_order_of_their_canonical_logins(storage: &Storage) {
    // Byte order, which a locale's collation would not keep: capitals, punctuation, accents, scripts.
    let logins = "bob Alice a_b a.b a1b Ab. café cafz 日本太郎 иван Zoe";
    for login in logins.split(' ') {
        registered(storage, a_user(login)).await;
    }
    let everybody = all(storage).await;
    assert_eq!(everybody.len(), 11);
    assert!(
        everybody.is_sorted_by_key(|user| user.login.canonical().clone()),
        "{everybody:?}"
    );

    let mut pages = Vec::new();
    loop {
        let after = pages.last().map(|user: &User| user.login.canonical().clone());
        let page = storage.users.list(after, 4).await.expect("storage answers");
        assert_eq!(page.len(), 4.min(everybody.len() - pages.len()));
        if page.is_empty() {
            break;
        }
        pages.extend(page);
    }
    assert_eq!(pages, everybody);
    let gap = storage
        .users
        .list(Some(canonical("bobby")), 1)
        .await
        .expect("storage answers");
    assert_eq!(
        gap.first().map(|user| user.login.canonical().as_str()),
        Some("cafz")
    );
}

/// # Panics
/// When the storage breaks the contract.
pub async fn a_listed_user_is_whole(storage: &Storage) {
    let (alice, _) = logged_in(storage, "Alice").await;
    let admin = registered(storage, an_admin("root")).await;
    assert_eq!(all(storage).await, [user_now(storage, &alice).await, admin]);
}

/// # Panics
/// When the storage breaks the contract.
pub async fn there_is_an_admin_while_an_active_user_is_one(storage: &Storage) {
    let any_admin = async || storage.users.any_admin().await.expect("storage answers");
    assert!(!any_admin().await, "nobody is there");
    let plain = registered(storage, a_user("alice")).await;
    assert!(!any_admin().await, "nobody has the role");
    let change = ChangeRoles {
        user: plain.id,
        roles: role_names(&["admin"]),
        keep_sessions: false,
        only_while: None,
    };
    storage
        .users
        .set_status(plain.id, UserStatus::Disabled, stamp(at(1)))
        .await
        .expect("storage answers");
    storage
        .users
        .change_roles(change, stamp(at(2)))
        .await
        .expect("storage answers");
    assert!(!any_admin().await, "whoever has it is disabled");
    storage
        .users
        .set_status(plain.id, UserStatus::Active, stamp(at(3)))
        .await
        .expect("storage answers");
    assert!(any_admin().await);
}
