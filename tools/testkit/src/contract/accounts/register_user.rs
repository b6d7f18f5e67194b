//! Cases of [`RegisterUser`], and of finding users.

use crate::contract::prelude::*;

cases! { accounts::register_user(CoreStorage):
    a_registered_user_is_found_by_id_and_by_login_in_canonical_form,
    a_login_that_no_user_has_is_not_found,
    one_of_many_concurrent_registrations_of_a_login_stores_a_user,
    a_change_is_recorded_with_all_of_its_context,
}

async fn a_registered_user_is_found_by_id_and_by_login_in_canonical_form(storage: &CoreStorage) {
    for (typed, canonically, roles) in [
        ("Alice", "alice", &["user"][..]),
        ("Ｂｏｂｂｙ", "bobby", &[]),
        ("CAFE\u{301}", "café", &["admin", "user"]),
        ("Иван", "иван", &["user"]),
        ("日本太郎", "日本太郎", &["user"]),
        ("O'Brien;--\"", "o'brien;--\"", &["user"]),
        ("Ann@Example.com", "ann@example.com", &["user"]),
    ] {
        let new = with_roles(typed, roles);
        let (hash, expected) = (new.hash.clone(), new.registered_at(at(0)));
        let command = Arc::new(RegisterUser(new));
        let dry = dry_run(storage, command.clone(), context(at(0))).await;
        assert_eq!(done(dry), expected);
        assert_eq!(find_user(storage, expected.id).await, None);
        assert_eq!(changed(storage, command, 0).await, expected);
        let found = find_login(storage, canonically)
            .await
            .expect("a user has this login");
        assert_eq!((found.user, found.hash), (expected, hash));
    }
}

async fn a_login_that_no_user_has_is_not_found(storage: &CoreStorage) {
    registered(storage, a_user("alice")).await;
    for unknown in ["alic", "alicea", "al%ce", "al_ce", "al*ce", "'or'1'='1"] {
        assert!(find_login(storage, unknown).await.is_none(), "{unknown}");
    }
    assert_eq!(find_user(storage, a_user("alice").id).await, None);
}

async fn one_of_many_concurrent_registrations_of_a_login_stores_a_user(storage: &CoreStorage) {
    let users: Vec<_> = (0..50)
        .map(|spelling| a_user(&spelled("carols", spelling)))
        .collect();
    let commands = users.iter().cloned();
    let commands = commands.map(|user| -> Arc<dyn Command> { Arc::new(RegisterUser(user)) });
    assert_one_happens(storage, commands, Refusal::LoginTaken).await;
    let only = find_login(storage, "carols")
        .await
        .expect("a user has this login")
        .user;
    for user in users {
        let stored = find_user(storage, user.id).await;
        assert_eq!(stored, (user.id == only.id).then(|| only.clone()));
    }
    assert_eq!(storage.recorded.recorded().await.len(), 1);
}

/// Returns `word` with capitals at the places of the one bits of `spelling`.
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

async fn a_change_is_recorded_with_all_of_its_context(storage: &CoreStorage) {
    let by = registered(storage, an_admin("root")).await.id;
    for (turn, context) in contexts(by, at(7)).into_iter().enumerate() {
        let command = Arc::new(RegisterUser(a_user(&format!("user{turn}"))));
        applied(storage, command, context).await;
    }
}
