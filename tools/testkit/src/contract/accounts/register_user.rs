//! [`RegisterUser`], and finding users.

use crate::{
    CoreStorage,
    contract::support::{applied, contexts, count, done, execute, race, registered, user_now},
    fixtures::{a_user, an_admin, at, canonical, context, role_names},
};
use domain::{
    changes::{Refusal, RegisterUser},
    user::{NewUser, UserId},
};
use std::sync::Arc;

cases! { accounts::register_user(CoreStorage):
    a_stored_user_is_found_by_login_and_by_id,
    a_login_that_no_user_has_is_not_found,
    a_login_is_kept_as_typed_and_found_by_its_canonical_form,
    one_of_many_concurrent_registrations_of_a_login_stores_a_user,
    a_user_may_have_no_roles_or_many,
    a_change_is_recorded_with_all_of_its_context,
}

async fn a_stored_user_is_found_by_login_and_by_id(storage: &CoreStorage) {
    let new = a_user("alice");
    let expected = new.registered_at(at(0));
    let command = Arc::new(RegisterUser(new));
    let stored = applied(storage, command, context(at(0))).await.into_user();
    assert_eq!(stored, Ok(expected.clone()));
    assert_eq!(
        user_now(storage, &expected).await,
        expected,
        "times to the microsecond included"
    );
}

async fn a_login_that_no_user_has_is_not_found(storage: &CoreStorage) {
    registered(storage, a_user("alice")).await;
    for unknown in ["alic", "alicea", "al%ce", "al_ce", "al*ce", "'or'1'='1"] {
        let found = storage.accounts.find_by_login(&canonical(unknown)).await;
        assert!(found.expect("storage answers").is_none(), "{unknown}");
    }
    assert_not_found(storage, a_user("alice").id).await;
}

async fn a_login_is_kept_as_typed_and_found_by_its_canonical_form(storage: &CoreStorage) {
    for (typed, canonically) in [
        ("Alice", "alice"),
        ("Ｂｏｂｂｙ", "bobby"),
        ("CAFE\u{301}", "café"),
        ("Иван", "иван"),
        ("日本太郎", "日本太郎"),
        ("O'Brien;--\"", "o'brien;--\""),
        ("Ann@Example.com", "ann@example.com"),
    ] {
        let command = Arc::new(RegisterUser(a_user(typed)));
        let user = applied(storage, command, context(at(0))).await.into_user();
        let found = storage
            .accounts
            .find_by_login(&canonical(canonically))
            .await
            .expect("storage answers")
            .expect("the user who was stored");
        assert_eq!(found.user.login.as_typed(), typed);
        assert_eq!(Ok(found.user), user);
    }
}

async fn one_of_many_concurrent_registrations_of_a_login_stores_a_user(storage: &CoreStorage) {
    let results = race((0..50).map(|spelling| {
        let storage = storage.clone();
        async move {
            let carol = a_user(&spelled("carols", spelling));
            let id = carol.id;
            let command = Arc::new(RegisterUser(carol));
            let stored = execute(&storage, command, context(at(0))).await;
            (id, stored.map(|applied| done(Ok(applied))))
        }
    }))
    .await;
    assert_eq!(
        count(&results, |(_, stored)| *stored == Err(Refusal::LoginTaken)),
        49
    );
    let found = storage.accounts.find_by_login(&canonical("carols")).await;
    let only = found.expect("storage answers").expect("a user").user;
    for (id, stored) in results {
        let by_id = storage.accounts.find(id).await.expect("storage answers");
        assert_eq!(by_id, stored.ok(), "a user who was refused is not stored");
        assert_eq!(by_id.is_some(), id == only.id);
    }
    assert_eq!(storage.recorded.recorded().await.len(), 1);
}

/// `word` with capitals where `spelling` has ones.
fn spelled(word: &str, spelling: u32) -> String {
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

async fn assert_not_found(storage: &CoreStorage, id: UserId) {
    let found = storage.accounts.find(id).await.expect("storage answers");
    assert_eq!(found, None);
}

async fn a_user_may_have_no_roles_or_many(storage: &CoreStorage) {
    for (login, roles) in [
        ("without", role_names(&[])),
        ("with-both", role_names(&["admin", "user"])),
    ] {
        let new = NewUser {
            roles: roles.clone(),
            ..a_user(login)
        };
        let stored = applied(storage, Arc::new(RegisterUser(new)), context(at(0))).await;
        assert_eq!(done(Ok(stored)).roles, roles);
    }
}

async fn a_change_is_recorded_with_all_of_its_context(storage: &CoreStorage) {
    let by = registered(storage, an_admin("root")).await.id;
    for (turn, context) in contexts(by, at(7)).into_iter().enumerate() {
        let command = Arc::new(RegisterUser(a_user(&format!("user{turn}"))));
        applied(storage, command, context).await;
    }
}
