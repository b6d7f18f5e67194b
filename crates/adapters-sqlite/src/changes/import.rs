//! Imports users from another system, many in one transaction.

use super::events::EventWriter;
use crate::{
    error::StorageError,
    tables::{roles, user_pages, users},
};
use diesel::{SqliteConnection, connection::SimpleConnection};
use domain::{
    audit::AuditEvent,
    changes::{ImportFacts, ImportUsers, Refusal},
    login::CanonicalLogin,
    user::User,
};

/// Sets the page cache to 64 MiB, and a checkpoint to every 16,000 pages of the WAL. Logins come in
/// any order, so an import changes pages all over the indexes. With SQLite's defaults, 2 and 4 MB,
/// the same pages would be written repeatedly.
const MAKE_ROOM: &str = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16000;";

/// The number of logins that one statement looks up. SQLite has a limit of 32,766 variables.
const LOGINS_PER_STATEMENT: usize = 1_000;

/// Stores the users that `users` accepts, each with its event.
pub fn import(
    conn: &mut SqliteConnection,
    users: &ImportUsers,
    events: &EventWriter,
) -> Result<Vec<Result<User, Refusal>>, StorageError> {
    conn.batch_execute(MAKE_ROOM)?;
    let facts = load(conn, users)?;
    let decided = users.decide(facts, events.at());
    for credentials in decided.iter().flatten() {
        users::insert(conn, credentials)?;
    }
    let outcomes: Vec<_> = decided
        .into_iter()
        .map(|one| one.map(|credentials| credentials.user))
        .collect();
    let written: Vec<AuditEvent> = outcomes.iter().flatten().map(ImportUsers::event).collect();
    events.write(conn, &written)?;
    Ok(outcomes)
}

fn load(conn: &mut SqliteConnection, users: &ImportUsers) -> Result<ImportFacts, StorageError> {
    let mut facts = ImportFacts::default();
    let known = roles::find(conn, &users.roles())?;
    facts.known_roles.extend(known.into_iter().map(|role| role.name));
    let logins: Vec<&CanonicalLogin> = users.logins().collect();
    for some in logins.chunks(LOGINS_PER_STATEMENT) {
        facts.taken.extend(user_pages::taken_logins(conn, some)?);
    }
    Ok(facts)
}
