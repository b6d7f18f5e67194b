//! Taking over users by the thousand, in one transaction of a handful of statements.

use super::rows::status_name;
use crate::{audit::Journal, error::StorageError, prepared::Prepared, roles, schema::users};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, sql_query,
    sql_types::{Array, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditEvent},
    ports::Inserted,
    revision::Revision,
    role::RoleNames,
    user::{Epoch, ImportedUser, User},
};
use std::collections::BTreeSet;
use uuid::Uuid;

pub async fn import(
    conn: &mut AsyncPgConnection,
    users: &[ImportedUser],
    journal: &Journal,
) -> Result<Vec<Inserted>, StorageError> {
    let mut taken = logins_taken(conn, users).await?;
    let wanted: RoleNames = users.iter().flat_map(|user| &user.roles).cloned().collect();
    let known = roles::known(conn, &wanted).await?;
    let mut answers: Vec<Inserted> = users
        .iter()
        .map(|user| judge(user, &mut taken, &known, journal))
        .collect();
    let chosen: Vec<&ImportedUser> = users
        .iter()
        .zip(&answers)
        .filter_map(|(user, answer)| matches!(answer, Inserted::Now(_)).then_some(user))
        .collect();
    let stored = insert(conn, &chosen, journal).await?;
    for (user, answer) in users.iter().zip(&mut answers) {
        if matches!(answer, Inserted::Now(_)) && !stored.contains(&user.id.0) {
            *answer = Inserted::LoginTaken;
        }
    }
    let new = || chosen.iter().filter(|user| stored.contains(&user.id.0));
    give(conn, new()).await?;
    let events: Vec<AuditEvent> = new()
        .map(|user| {
            AuditEvent::on(AuditAction::UserImported, user.id).with("roles", roles::told(&user.roles))
        })
        .collect();
    journal.write_all(conn, &events).await?;
    Ok(answers)
}

async fn logins_taken(
    conn: &mut AsyncPgConnection,
    users: &[ImportedUser],
) -> Result<BTreeSet<String>, StorageError> {
    let logins: Vec<&str> = users.iter().map(|user| user.login.canonical().as_str()).collect();
    let taken: Vec<String> = users::table
        .filter(users::canonical_login.eq_any(logins))
        .select(users::canonical_login)
        .load(conn)
        .await?;
    Ok(taken.into_iter().collect())
}

/// What storing `user` comes to, if nobody else stores one with this login meanwhile.
fn judge(
    user: &ImportedUser,
    taken: &mut BTreeSet<String>,
    known: &RoleNames,
    journal: &Journal,
) -> Inserted {
    let login = user.login.canonical().as_str();
    if taken.contains(login) {
        return Inserted::LoginTaken;
    }
    if !user.roles.is_subset(known) {
        return Inserted::UnknownRole;
    }
    taken.insert(login.to_owned());
    Inserted::Now(User {
        id: user.id,
        login: user.login.clone(),
        roles: user.roles.clone(),
        status: user.status,
        epoch: Epoch::FIRST,
        must_change_password: false,
        revision: Revision::FIRST,
        created_at: user.created_at,
        updated_at: journal.context.at,
        last_login_at: None,
    })
}

/// In the order of their logins: two imports of the same users wait for each other, and not in a circle. A column is one
/// value, so that one statement serves any number of users.
const INSERT: &str = r#"
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, must_change_password, revision,
        created_at, updated_at)
    SELECT id, login, canonical_login, password_hash, status, 0, FALSE, 0, created_at, $7
    FROM unnest($1, $2, $3, $4, $5, $6)
        AS new (id, login, canonical_login, password_hash, status, created_at)
    ORDER BY canonical_login COLLATE "C"
    ON CONFLICT (canonical_login) DO NOTHING
    RETURNING id"#;

/// Stores those of `users` whose logins are free; their ids.
async fn insert(
    conn: &mut AsyncPgConnection,
    users: &[&ImportedUser],
    journal: &Journal,
) -> Result<BTreeSet<Uuid>, StorageError> {
    #[derive(QueryableByName)]
    struct Stored {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let ids: Vec<_> = users.iter().map(|user| user.id.0).collect();
    let logins: Vec<_> = users.iter().map(|user| user.login.as_typed()).collect();
    let canonical: Vec<_> = users.iter().map(|user| user.login.canonical().as_str()).collect();
    let hashes: Vec<_> = users.iter().map(|user| user.hash.as_phc()).collect();
    let statuses: Vec<_> = users.iter().map(|user| status_name(user.status)).collect();
    let times: Vec<_> = users.iter().map(|user| user.created_at).collect();
    let statement = sql_query(INSERT)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(logins)
        .bind::<Array<Text>, _>(canonical)
        .bind::<Array<Text>, _>(hashes)
        .bind::<Array<Text>, _>(statuses)
        .bind::<Array<Timestamptz>, _>(times)
        .bind::<Timestamptz, _>(journal.context.at);
    let stored: Vec<Stored> = Prepared(statement).load(conn).await?;
    Ok(stored.into_iter().map(|row| row.id).collect())
}

const GIVE: &str = "INSERT INTO user_roles (user_id, role) SELECT * FROM unnest($1, $2)";

async fn give<'a>(
    conn: &mut AsyncPgConnection,
    users: impl Iterator<Item = &'a &'a ImportedUser>,
) -> Result<(), StorageError> {
    let (ids, names): (Vec<Uuid>, Vec<&str>) = users
        .flat_map(|user| user.roles.iter().map(|role| (user.id.0, role.as_str())))
        .unzip();
    let statement = sql_query(GIVE)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(names);
    Prepared(statement).execute(conn).await?;
    Ok(())
}
