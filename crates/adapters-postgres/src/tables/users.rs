//! Users one at a time: finding, locking and writing them.

use super::user_rows::{
    CredentialsRow, LockedUser, LockedUserRow, NewUserRow, TargetRow, UserRow, status_name,
};
use crate::{error::StorageError, prepared::Prepared, schema::users};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper,
    dsl::{exists, select},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    authority::Target,
    login::CanonicalLogin,
    password::PasswordHash,
    user::{Credentials, User, UserId},
};
use uuid::Uuid;

pub async fn find(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, StorageError> {
    let row: Option<UserRow> = users::table
        .find(id.0)
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(User::try_from).transpose()
}

pub async fn find_by_login(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    let row: Option<CredentialsRow> = users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Credentials::try_from).transpose()
}

/// Returns a user with what their roles allow.
pub async fn find_target(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<Target>, StorageError> {
    let row: Option<TargetRow> = users::table
        .find(id.0)
        .select(TargetRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Target::try_from).transpose()
}

/// Whether a user has `login`.
pub async fn is_login_taken(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
) -> Result<bool, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(login.as_str()));
    Ok(select(exists(namesake)).get_result(conn).await?)
}

/// Locks the rows of those of `ids` that exist, in the order of their ids. The users, their roles and their sessions do not
/// change until the transaction ends, except that single sessions may end or be refreshed.
pub async fn lock(conn: &mut AsyncPgConnection, ids: &[UserId]) -> Result<Vec<LockedUser>, StorageError> {
    let ids: Vec<Uuid> = ids.iter().map(|id| id.0).collect();
    let rows: Vec<LockedUserRow> = users::table
        .filter(users::id.eq_any(ids))
        .order(users::id)
        .select(LockedUserRow::as_select())
        .for_update()
        .load(conn)
        .await?;
    rows.into_iter().map(LockedUser::try_from).collect()
}

/// Stores a user without roles; returns whether the login was free. Waits for a transaction that is storing a user with the
/// same login.
pub async fn insert(conn: &mut AsyncPgConnection, credentials: &Credentials) -> Result<bool, StorageError> {
    let inserted = diesel::insert_into(users::table)
        .values(NewUserRow::from(credentials))
        .on_conflict(users::canonical_login)
        .do_nothing()
        .execute(conn)
        .await?;
    Ok(inserted == 1)
}

/// Replaces all but logins and roles, and the password if `hash` is set.
pub async fn update(
    conn: &mut AsyncPgConnection,
    user: &User,
    hash: Option<&PasswordHash>,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(user.id.0)).set((
        users::status.eq(status_name(user.status)),
        users::token_epoch.eq(user.epoch.0),
        users::must_change_password.eq(user.must_change_password),
        users::revision.eq(user.revision.0),
        users::created_at.eq(user.created_at),
        users::updated_at.eq(user.updated_at),
        users::last_login_at.eq(user.last_login_at),
        hash.map(|hash| users::password_hash.eq(hash.as_phc())),
    )))
    .execute(conn)
    .await?;
    Ok(())
}

pub async fn set_last_login(
    conn: &mut AsyncPgConnection,
    user: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    Prepared(diesel::update(users::table.find(user.0)).set(users::last_login_at.eq(at)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Replaces the hash `old` by `new`; returns whether it was `old`. One statement, and so a transaction by itself: a row that
/// it waited for is compared again.
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

/// Removes a user. The schema removes their roles and sessions with them.
pub async fn delete(conn: &mut AsyncPgConnection, id: UserId) -> Result<(), StorageError> {
    diesel::delete(users::table.find(id.0)).execute(conn).await?;
    Ok(())
}
