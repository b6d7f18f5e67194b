//! Users from another system, many in one transaction.

use super::{changes::joined, rows::NewUserRow};
use crate::{audit, error::StorageError, roles, schema::users};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection,
    connection::SimpleConnection,
    dsl::{exists, select},
};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    password::PasswordHash,
    ports::{AuditSealer, Inserted},
    revision::Revision,
    role::RoleNames,
    user::{Epoch, ImportedUser, User},
};

/// Logins come in any order, so that an import changes pages all over the indexes: with SQLite's own bounds, 2 and 4 MB, the
/// same pages would be written again and again. In kibibytes, and in pages.
const MAKE_ROOM: &str = "PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 16000;";

pub fn import(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    users: Vec<ImportedUser>,
    context: &AuditContext,
) -> Result<Vec<Inserted>, StorageError> {
    conn.batch_execute(MAKE_ROOM)?;
    let wanted = users.iter().flat_map(|user| user.roles.iter().cloned()).collect();
    let known = roles::find(conn, &wanted)?
        .into_iter()
        .map(|role| role.name)
        .collect();
    let mut events = Vec::with_capacity(users.len());
    let mut settled = Vec::with_capacity(users.len());
    for user in users {
        let inserted = import_one(conn, user, &known, context.at)?;
        if let Inserted::Now(user) = &inserted {
            let event = AuditEvent::on(AuditAction::UserImported, user.id);
            events.push(event.with("roles", joined(&user.roles)));
        }
        settled.push(inserted);
    }
    audit::write_all(conn, sealer, context, &events)?;
    Ok(settled)
}

fn import_one(
    conn: &mut SqliteConnection,
    user: ImportedUser,
    known: &RoleNames,
    now: DateTime<Utc>,
) -> Result<Inserted, StorageError> {
    if !user.roles.is_subset(known) {
        let namesake = users::table.filter(users::canonical_login.eq(user.login.canonical().as_str()));
        let taken = select(exists(namesake)).get_result(conn)?;
        return Ok(if taken {
            Inserted::LoginTaken
        } else {
            Inserted::UnknownRole
        });
    }
    let (user, hash) = imported_at(user, now);
    let stored = diesel::insert_into(users::table)
        .values(NewUserRow::new(&user, &hash))
        .on_conflict(users::canonical_login)
        .do_nothing()
        .execute(conn)?;
    if stored == 0 {
        return Ok(Inserted::LoginTaken);
    }
    roles::give_first(conn, user.id, &user.roles)?;
    Ok(Inserted::Now(user))
}

fn imported_at(user: ImportedUser, now: DateTime<Utc>) -> (User, PasswordHash) {
    let imported = User {
        id: user.id,
        login: user.login,
        roles: user.roles,
        status: user.status,
        epoch: Epoch::FIRST,
        must_change_password: false,
        revision: Revision::FIRST,
        created_at: user.created_at,
        updated_at: now,
        last_login_at: None,
    };
    (imported, user.hash)
}
