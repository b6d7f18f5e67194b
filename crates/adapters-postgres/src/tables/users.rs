//! Finds, locks and writes users.

use super::{
    rows::{parse_all, parse_optional},
    user_rows::{CredentialsRow, LockedUser, LockedUserRow, TargetRow, UserRow},
};
use crate::{error::StorageError, prepared::Prepared, schema::users};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, QueryableByName, SelectableHelper,
    dsl::{exists, select},
    sql_query,
    sql_types::{Array, BigInt, Bool, Nullable, Text, Timestamptz, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    authority::Target,
    login::CanonicalLogin,
    password::PasswordHash,
    user::{Credentials, User, UserId},
};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Returns the user `id`.
pub async fn find(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, StorageError> {
    let user = users::table.find(id.0).select(UserRow::as_select());
    parse_optional(user.first(conn).await)
}

/// Returns the user with this login, and their password hash.
pub async fn find_by_login(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    let user = users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select());
    parse_optional(user.first(conn).await)
}

/// Returns a user with the permissions of their roles.
pub async fn find_target(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<Target>, StorageError> {
    let user = users::table.find(id.0).select(TargetRow::as_select());
    parse_optional(user.first(conn).await)
}

/// Returns whether a user has `login`.
pub async fn is_login_taken(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
) -> Result<bool, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(login.as_str()));
    Ok(select(exists(namesake)).get_result(conn).await?)
}

/// Locks the rows of those of `ids` that exist, in the order of their ids. The users, their roles
/// and their sessions do not change until the transaction ends, except that single sessions may end
/// or be refreshed.
pub async fn lock(conn: &mut AsyncPgConnection, ids: &[UserId]) -> Result<Vec<LockedUser>, StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let in_order = users::table
        .filter(users::id.eq_any(ids))
        .order(users::id)
        .select(LockedUserRow::as_select());
    parse_all(in_order.for_update().load(conn).await)
}

/// Takes each column as one array, so that one statement serves any number of users. Inserts in the
/// order of the logins, so that imports of the same users do not wait for each other in a circle.
const INSERT: &str = r#"
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, must_change_password, revision,
        created_at, updated_at, password_expires_at, password_used_at)
    SELECT * FROM unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        AS new (id, login, canonical_login, password_hash, status, token_epoch, must_change_password, revision,
            created_at, updated_at, password_expires_at, password_used_at)
    ORDER BY canonical_login COLLATE "C"
    ON CONFLICT (canonical_login) DO NOTHING
    RETURNING id"#;

/// Stores those of `credentials` whose logins are free, without roles; returns their ids. Waits for
/// transactions that are storing users with the same logins.
pub async fn insert(
    conn: &mut AsyncPgConnection,
    credentials: &[&Credentials],
) -> Result<BTreeSet<UserId>, StorageError> {
    #[derive(QueryableByName)]
    struct Stored {
        #[diesel(sql_type = SqlUuid)]
        id: Uuid,
    }
    let statement = sql_query(INSERT)
        .bind::<Array<SqlUuid>, _>(column(credentials, |it| it.user.id.0))
        .bind::<Array<Text>, _>(column(credentials, |it| it.user.login.as_typed()))
        .bind::<Array<Text>, _>(column(credentials, |it| it.user.login.canonical().as_str()))
        .bind::<Array<Text>, _>(column(credentials, |it| it.hash.as_phc()))
        .bind::<Array<Text>, _>(column(credentials, |it| it.user.status.as_str()))
        .bind::<Array<BigInt>, _>(column(credentials, |it| it.user.epoch.0))
        .bind::<Array<Bool>, _>(column(credentials, |it| it.user.must_change_password))
        .bind::<Array<BigInt>, _>(column(credentials, |it| it.user.revision.0))
        .bind::<Array<Timestamptz>, _>(column(credentials, |it| it.user.created_at))
        .bind::<Array<Timestamptz>, _>(column(credentials, |it| it.user.updated_at))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(credentials, |it| expires_at(&it.user)))
        .bind::<Array<Nullable<Timestamptz>>, _>(column(credentials, |it| used_at(&it.user)));
    let stored: Vec<Stored> = Prepared(statement).load(conn).await?;
    Ok(stored.into_iter().map(|row| UserId(row.id)).collect())
}

fn column<'a, T>(credentials: &[&'a Credentials], value: impl Fn(&'a Credentials) -> T) -> Vec<T> {
    credentials.iter().map(|it| value(it)).collect()
}

fn expires_at(user: &User) -> Option<DateTime<Utc>> {
    user.one_time_password.map(|password| password.expires_at)
}

fn used_at(user: &User) -> Option<DateTime<Utc>> {
    user.one_time_password.and_then(|password| password.used_at)
}

/// Replaces the stored properties of `user` except the login and the roles, and the password hash
/// if `hash` is set.
pub async fn update(
    conn: &mut AsyncPgConnection,
    user: &User,
    hash: Option<&PasswordHash>,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(user.id.0)).set((
        users::status.eq(user.status.as_str()),
        users::token_epoch.eq(user.epoch.0),
        users::must_change_password.eq(user.must_change_password),
        users::revision.eq(user.revision.0),
        users::created_at.eq(user.created_at),
        users::updated_at.eq(user.updated_at),
        users::last_login_at.eq(user.last_login_at),
        users::password_expires_at.eq(expires_at(user)),
        users::password_used_at.eq(used_at(user)),
        hash.map(|hash| users::password_hash.eq(hash.as_phc())),
    )))
    .execute(conn)
    .await?;
    Ok(())
}

/// Stores that the one-time password of a user, whose row is locked, was used at `at`.
pub async fn record_password_use(
    conn: &mut AsyncPgConnection,
    id: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(id.0)).set(users::password_used_at.eq(at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Replaces the hash `old` with `new`, and returns whether it was `old`. Runs one statement in its
/// own transaction: Postgres compares a row again after it waited for the row's lock.
pub async fn replace_hash(
    conn: &mut AsyncPgConnection,
    user: UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, StorageError> {
    let unchanged = users::table
        .find(user.0)
        .filter(users::password_hash.eq(old.as_phc()));
    let replaced = Prepared(diesel::update(unchanged).set(users::password_hash.eq(new.as_phc())))
        .execute(conn)
        .await?;
    Ok(replaced == 1)
}

/// Makes the places of sessions opened before `at` unknown to the user `id`.
pub async fn forget_places(
    conn: &mut AsyncPgConnection,
    id: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(id.0)).set(users::places_since.eq(at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Removes a user. The schema removes their roles and sessions with them.
pub async fn delete(conn: &mut AsyncPgConnection, id: UserId) -> Result<(), StorageError> {
    diesel::delete(users::table.find(id.0)).execute(conn).await?;
    Ok(())
}
