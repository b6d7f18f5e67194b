//! The contract of [`Users::import`](domain::ports::Users::import).

use super::support::{credentials, listed, registered, trail};
use crate::{
    Storage,
    fixtures::{a_user, at, context, role_names},
};
use domain::{
    audit::{AuditAction, AuditEvent},
    ports::Inserted,
    role::RoleNames,
    user::{ImportedUser, User, UserFilter, UserStatus},
};

fn imported(login: &str, roles: RoleNames) -> ImportedUser {
    let new = a_user(login);
    ImportedUser {
        id: new.id,
        login: new.login,
        hash: new.hash,
        roles,
        status: UserStatus::Active,
        created_at: at(-1_000_000),
    }
}

async fn import(storage: &Storage, users: Vec<ImportedUser>) -> Vec<Inserted> {
    storage
        .users
        .import(users, context(at(5)))
        .await
        .expect("storage answers")
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_imported_user_is_as_they_were_elsewhere(storage: &Storage) {
    for (login, status) in [("Alice", UserStatus::Active), ("bob", UserStatus::Disabled)] {
        let wanted = ImportedUser {
            status,
            ..imported(login, role_names(&["admin", "user"]))
        };
        let expected = User {
            roles: wanted.roles.clone(),
            status,
            created_at: at(-1_000_000),
            ..a_user(login).registered_at(at(5))
        };
        let expected = User {
            id: wanted.id,
            ..expected
        };
        let answers = import(storage, vec![wanted.clone()]).await;
        assert_eq!(answers, [Inserted::Now(expected.clone())]);
        let kept = credentials(storage, &expected).await;
        assert_eq!((kept.user, kept.hash), (expected.clone(), wanted.hash));
        let event = AuditEvent::on(AuditAction::UserImported, expected.id).with("roles", "admin user");
        let events: Vec<_> = trail(storage, &expected)
            .await
            .into_iter()
            .map(|row| row.event)
            .collect();
        assert_eq!(events, [event]);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn whoever_is_refused_keeps_out_no_other(storage: &Storage) {
    registered(storage, a_user("taken")).await;
    let user = || role_names(&["user"]);
    let answers = import(
        storage,
        vec![
            imported("first", user()),
            imported("TAKEN", user()),
            imported("strange", role_names(&["unheard-of", "user"])),
            imported("First", user()),
            imported("strange", user()),
            imported("last", role_names(&[])),
        ],
    )
    .await;
    let told: Vec<_> = answers
        .iter()
        .map(|answer| match answer {
            Inserted::Now(user) => user.login.as_typed(),
            Inserted::LoginTaken => "(taken)",
            Inserted::UnknownRole => "(unknown role)",
        })
        .collect();
    assert_eq!(
        told,
        ["first", "(taken)", "(unknown role)", "(taken)", "strange", "last"]
    );
    let stored = listed(storage, &UserFilter::default()).await;
    assert_eq!(stored.len(), 4);
    for user in stored {
        assert_eq!(trail(storage, &user).await.len(), 1);
    }
}

/// # Panics
/// When the storage breaks the contract.
pub async fn an_import_of_many_or_none_is_answered_in_order(storage: &Storage) {
    assert_eq!(import(storage, Vec::new()).await, []);
    let many: Vec<_> = (0..2_500)
        .rev()
        .map(|turn| imported(&format!("user{turn}"), role_names(&["user"])))
        .collect();
    let ids: Vec<_> = many.iter().map(|user| user.id).collect();
    let answers = import(storage, many).await;
    let stored: Vec<_> = answers
        .into_iter()
        .filter_map(|answer| match answer {
            Inserted::Now(user) => Some(user.id),
            Inserted::LoginTaken | Inserted::UnknownRole => None,
        })
        .collect();
    assert_eq!(stored, ids);
}
