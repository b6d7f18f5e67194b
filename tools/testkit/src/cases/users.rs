//! The contract of [`Users`](domain::ports::Users): storing and finding them. Lists and changes have files of their own.

use super::support::{
    Everything, answered, count, credentials, listed, logged_in, race, registered, trail, user_now,
};
use crate::{
    Storage,
    fixtures::{a_user, administer, at, canonical, context, role_change, role_names},
};
use domain::{
    audit::AuditFilter,
    ports::Inserted,
    user::{NewUser, User, UserFilter, UserId, UserStatus},
};

/// # Panics
/// When the storage breaks the contract.
pub async fn a_stored_user_is_found_by_login(storage: &Storage) {
    let new = a_user("alice");
    let expected = new.registered_at(at(0));
    let inserted = storage
        .users
        .insert(new.clone(), context(at(0)))
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
            .insert(late, context(at(5)))
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
            let carol = a_user(&spelt("carols", spelling));
            answered(|| users.insert(carol.clone(), context(at(0)))).await
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
        .insert(new, context(at(0)))
        .await
        .expect("storage answers");
    assert_eq!(inserted, Inserted::UnknownRole);
    assert_nothing_of(storage, id).await;
    assert!(all(storage).await.is_empty());
    registered(storage, a_user("alice")).await;
}

async fn assert_nothing_of(storage: &Storage, id: UserId) {
    let of_user = AuditFilter {
        user: Some(id),
        ..AuditFilter::default()
    };
    let events = storage
        .audit
        .page(of_user, None, 1)
        .await
        .expect("storage answers");
    assert!(events.is_empty(), "{events:?}");
    let found = storage.users.find(id).await.expect("storage answers");
    assert_eq!(found, None);
}

async fn all(storage: &Storage) -> Vec<User> {
    listed(storage, &UserFilter::default()).await
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
pub async fn there_is_an_admin_while_an_active_user_is_one(storage: &Storage) {
    let any_admin = async || storage.users.any_admin().await.expect("storage answers");
    assert!(!any_admin().await, "nobody is there");
    let plain = registered(storage, a_user("alice")).await;
    assert!(!any_admin().await, "nobody has the role");
    let change = role_change(plain.id, &["admin"]);
    storage
        .users
        .set_status(administer(plain.id), UserStatus::Disabled, context(at(1)))
        .await
        .expect("storage answers");
    storage
        .users
        .change_roles(change, context(at(2)))
        .await
        .expect("storage answers");
    assert!(!any_admin().await, "whoever has it is disabled");
    storage
        .users
        .set_status(administer(plain.id), UserStatus::Active, context(at(3)))
        .await
        .expect("storage answers");
    assert!(any_admin().await);
}
