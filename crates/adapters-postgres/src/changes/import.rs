//! Imports users by the thousand, in one transaction of a handful of statements.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{roles, user_pages, user_roles, users as user_table},
};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::AuditEvent,
    changes::{ImportFacts, ImportUsers, Refusal},
    user::{Credentials, User, UserId},
};
use std::collections::BTreeSet;

/// Stores those of `users` that are accepted; returns for each, in their order, the stored user or
/// the refusal.
pub async fn import(
    conn: &mut AsyncPgConnection,
    users: &ImportUsers,
    events: &EventWriter,
) -> Result<Vec<Result<User, Refusal>>, StorageError> {
    let facts = ImportFacts {
        taken: user_pages::taken_logins(conn, users.logins()).await?,
        known_roles: roles::lock_to_give(conn, &users.roles())
            .await?
            .into_iter()
            .map(|role| role.name)
            .collect(),
    };
    let decided = users.decide(facts, events.at());
    let accepted: Vec<&Credentials> = decided.iter().flatten().collect();
    let stored = user_table::insert(conn, &accepted).await?;
    let results: Vec<Result<User, Refusal>> = decided
        .into_iter()
        .map(|decided| decided.and_then(|credentials| stored_user(credentials, &stored)))
        .collect();
    let imported = || results.iter().flatten();
    user_roles::grant(conn, imported()).await?;
    let written: Vec<AuditEvent> = imported().map(ImportUsers::event).collect();
    events.write(conn, &written).await?;
    Ok(results)
}

/// Refuses a user whose login another transaction has taken since it was looked up.
fn stored_user(credentials: Credentials, stored: &BTreeSet<UserId>) -> Result<User, Refusal> {
    if stored.contains(&credentials.user.id) {
        Ok(credentials.user)
    } else {
        Err(Refusal::LoginTaken)
    }
}
