//! Cases of [`UserDirectory::import`](domain::ports::UserDirectory::import).

use crate::contract::prelude::*;
use domain::one_time_password::OneTimePassword;

cases! { user_directory::import_users(Storage):
    an_imported_user_is_stored_as_given,
    a_refused_user_does_not_prevent_the_import_of_others,
    an_import_of_many_users_or_none_returns_them_in_order,
    concurrent_imports_of_the_same_users_store_each_once,
}

async fn import(storage: &Storage, users: Vec<ImportedUser>) -> Vec<Result<User, Refusal>> {
    let imported = storage.users.import(ImportUsers(users), context(at(5)));
    imported.await.expect("storage is available")
}

async fn count_users(storage: &Storage) -> usize {
    let page = UserPage {
        after: None,
        limit: 10_000,
    };
    let users = storage.users.list(UserFilter::default(), page).await;
    users.expect("storage is available").len()
}

async fn an_imported_user_is_stored_as_given(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    let one_time = Some(OneTimePassword::until(at(2_000)));
    for (login, status, one_time_password) in [
        ("Alice", UserStatus::Active, None),
        ("bob", UserStatus::Disabled, one_time),
    ] {
        let wanted = ImportedUser {
            status,
            one_time_password,
            created_at: at(-1_000_000),
            ..imported(login, &["admin", "user"])
        };
        let expected = wanted.imported_at(at(5));
        let results = import(storage, vec![wanted]).await;
        assert_eq!(results, [Ok(expected.user.clone())]);
        let stored = credentials(core, &expected.user).await;
        assert_eq!((&stored.user, &stored.hash), (&expected.user, &expected.hash));
        let event = (ImportUsers::event(&expected.user), context(at(5)));
        assert_eq!(events_of(core, &expected.user).await, [event]);
    }
}

async fn a_refused_user_does_not_prevent_the_import_of_others(storage: &Storage) {
    let core = &CoreStorage::of(storage);
    registered(core, a_user("taken")).await;
    let results = import(
        storage,
        vec![
            imported("first", &["user"]),
            imported("TAKEN", &["user"]),
            imported("strange", &["unknown", "user"]),
            imported("First", &["user"]),
            imported("strange", &["user"]),
            imported("last", &[]),
        ],
    )
    .await;
    let results: Vec<_> = results
        .iter()
        .map(|result| result.as_ref().map(|user| user.login.as_typed()))
        .collect();
    assert_eq!(
        results,
        [
            Ok("first"),
            Err(&Refusal::LoginTaken),
            Err(&Refusal::UnknownRole(role_name("unknown"))),
            Err(&Refusal::LoginTaken),
            Ok("strange"),
            Ok("last"),
        ]
    );
    assert_eq!(count_users(storage).await, 4);
    for login in ["taken", "first", "strange", "last"] {
        let user = find_login(core, login).await.expect("a user has this login").user;
        assert_eq!(events_of(core, &user).await.len(), 1);
    }
}

async fn an_import_of_many_users_or_none_returns_them_in_order(storage: &Storage) {
    assert_eq!(import(storage, Vec::new()).await, []);
    let many: Vec<_> = (0..2_500)
        .rev()
        .map(|turn| imported(&format!("user{turn}"), &["user"]))
        .collect();
    let ids: Vec<_> = many.iter().map(|user| Ok(user.id)).collect();
    let results = import(storage, many).await.into_iter();
    let stored: Vec<_> = results.map(|result| result.map(|user| user.id)).collect();
    assert_eq!(stored, ids);
    assert_eq!(count_users(storage).await, 2_500);
}

async fn concurrent_imports_of_the_same_users_store_each_once(storage: &Storage) {
    let logins: Vec<_> = (0..20).map(|turn| format!("user{turn}")).collect();
    let results = race((0..4).map(|turn| {
        let storage = storage.clone();
        let users = logins.iter().map(|login| imported(login, &["user"]));
        // Two of them import in the reverse order.
        let users: Vec<_> = if turn % 2 == 0 {
            users.collect()
        } else {
            users.rev().collect()
        };
        async move { import(&storage, users).await }
    }))
    .await;
    let results: Vec<_> = results.into_iter().flatten().collect();
    let taken = Err(Refusal::LoginTaken);
    assert_eq!(count(&results, |it| *it == taken), 60);
    for stored in results.into_iter().flatten() {
        assert_eq!(user_now(&CoreStorage::of(storage), &stored).await, stored);
    }
    assert_eq!(count_users(storage).await, 20);
    assert_eq!(CoreStorage::of(storage).recorded.recorded().await.len(), 20);
}
