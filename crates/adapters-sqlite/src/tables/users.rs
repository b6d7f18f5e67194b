//! Reads and writes single users with their roles.

use super::{
    permissions::{
        parse_permissions, parse_roles, permissions_of_user, privileged_roles_of_user, roles_of_user,
    },
    roles,
    rows::parse_optional,
};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::users,
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists, select},
    sqlite::Sqlite,
};
use domain::{
    authority::Target,
    changes::AccountState,
    login::{CanonicalLogin, Login},
    one_time_password::OneTimePassword,
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};

/// Returns the user `id`.
pub fn find(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, StorageError> {
    let user = users::table.find(Id(id.0)).select(UserRow::as_select());
    parse_optional(user.first(conn))
}

/// Returns the user with this login, and their hash.
pub fn find_by_login(
    conn: &mut SqliteConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    let user = users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select());
    parse_optional(user.first(conn))
}

/// Returns the user `id` with the permissions of their roles.
pub fn target(conn: &mut SqliteConnection, id: UserId) -> Result<Option<Target>, StorageError> {
    let user = users::table.find(Id(id.0)).select(TargetRow::as_select());
    parse_optional(user.first(conn))
}

/// Returns the state of the user `id`.
pub fn account(conn: &mut SqliteConnection, id: UserId) -> Result<Option<AccountState>, StorageError> {
    let user = users::table.find(Id(id.0)).select(AccountRow::as_select());
    parse_optional(user.first(conn))
}

/// Returns whether a user has this login.
pub fn has_login(conn: &mut SqliteConnection, login: &CanonicalLogin) -> Result<bool, StorageError> {
    let users = users::table.filter(users::canonical_login.eq(login.as_str()));
    Ok(select(exists(users)).get_result(conn)?)
}

/// Stores a user with their roles and hash.
pub fn insert(conn: &mut SqliteConnection, credentials: &Credentials) -> Result<(), StorageError> {
    let Credentials { user, hash } = credentials;
    diesel::insert_into(users::table)
        .values((
            users::id.eq(Id(user.id.0)),
            users::login.eq(user.login.as_typed()),
            users::canonical_login.eq(user.login.canonical().as_str()),
            users::password_hash.eq(hash.as_phc()),
            users::status.eq(user.status.as_str()),
            users::token_epoch.eq(user.epoch.0),
            users::must_change_password.eq(user.must_change_password),
            one_time(user.one_time_password),
            users::revision.eq(user.revision.0),
            users::created_at.eq(Micros(user.created_at)),
            users::updated_at.eq(Micros(user.updated_at)),
        ))
        .execute(conn)?;
    roles::insert_roles_of(conn, user.id, &user.roles)
}

#[auto_type]
fn one_time(password: Option<OneTimePassword>) -> _ {
    let expires_at: Option<Micros> = password.map(|password| Micros(password.expires_at));
    let used_at: Option<Micros> = password.and_then(|password| password.used_at).map(Micros);
    (
        users::password_expires_at.eq(expires_at),
        users::password_used_at.eq(used_at),
    )
}

/// Replaces the status, the epoch, the revision, the time of the last update, whether the password
/// must change and its limits; and the password hash if `hash` is set.
pub fn update(
    conn: &mut SqliteConnection,
    user: &User,
    hash: Option<&PasswordHash>,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(user.id.0)))
        .set((
            hash.map(|hash| users::password_hash.eq(hash.as_phc())),
            users::status.eq(user.status.as_str()),
            users::token_epoch.eq(user.epoch.0),
            users::must_change_password.eq(user.must_change_password),
            one_time(user.one_time_password),
            users::revision.eq(user.revision.0),
            users::updated_at.eq(Micros(user.updated_at)),
        ))
        .execute(conn)?;
    Ok(())
}

/// Records a login: its time, and the next revision.
pub fn record_login(conn: &mut SqliteConnection, id: UserId, at: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(id.0)))
        .set((
            users::last_login_at.eq(Micros(at)),
            users::revision.eq(users::revision + 1),
        ))
        .execute(conn)?;
    Ok(())
}

/// Stores that the one-time password of the user `id` was used at `at`.
pub fn record_password_use(
    conn: &mut SqliteConnection,
    id: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(id.0)))
        .set(users::password_used_at.eq(Micros(at)))
        .execute(conn)?;
    Ok(())
}

/// Replaces the hash `old` with `new`, and returns whether it was `old`.
pub fn replace_hash(
    conn: &mut SqliteConnection,
    id: UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, StorageError> {
    let unchanged = users::table
        .find(Id(id.0))
        .filter(users::password_hash.eq(old.as_phc()));
    let replaced = diesel::update(unchanged)
        .set(users::password_hash.eq(new.as_phc()))
        .execute(conn)?;
    Ok(replaced == 1)
}

/// Makes the places of sessions opened before `at` unknown to the user `id`.
pub fn forget_places(conn: &mut SqliteConnection, id: UserId, at: DateTime<Utc>) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(id.0)))
        .set(users::places_since.eq(Micros(at)))
        .execute(conn)?;
    Ok(())
}

/// Removes the user `id`. Foreign keys remove their roles and sessions.
pub fn delete(conn: &mut SqliteConnection, id: UserId) -> Result<(), StorageError> {
    diesel::delete(users::table.find(Id(id.0))).execute(conn)?;
    Ok(())
}

/// A user with their roles.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub struct UserRow {
    id: Id,
    login: String,
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    created_at: Micros,
    updated_at: Micros,
    last_login_at: Option<Micros>,
    password_expires_at: Option<Micros>,
    password_used_at: Option<Micros>,
    #[diesel(select_expression = roles_of_user())]
    roles: Option<String>,
}

impl TryFrom<UserRow> for User {
    type Error = StorageError;

    fn try_from(row: UserRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: UserId(row.id.0),
            login: Login::parse(&row.login).map_err(|error| StorageError::row("users", error))?,
            roles: parse_roles(row.roles.as_deref())?,
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            must_change_password: row.must_change_password,
            one_time_password: parse_one_time(
                row.must_change_password,
                row.password_expires_at,
                row.password_used_at,
            ),
            revision: Revision(row.revision),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            last_login_at: row.last_login_at.map(|at| at.0),
        })
    }
}

/// A user with their password hash.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub struct CredentialsRow {
    #[diesel(embed)]
    user: UserRow,
    password_hash: String,
}

impl TryFrom<CredentialsRow> for Credentials {
    type Error = StorageError;

    fn try_from(row: CredentialsRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            hash: PasswordHash::from_phc(row.password_hash),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
struct TargetRow {
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<String>,
    #[diesel(select_expression = privileged_roles_of_user())]
    privileged_roles: Option<String>,
}

impl TryFrom<TargetRow> for Target {
    type Error = StorageError;

    fn try_from(row: TargetRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions.as_deref())?,
            privileged_roles: parse_roles(row.privileged_roles.as_deref())?,
        })
    }
}

/// The state of a user that commands compare.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub struct AccountRow {
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    password_expires_at: Option<Micros>,
    password_used_at: Option<Micros>,
}

impl TryFrom<AccountRow> for AccountState {
    type Error = StorageError;

    fn try_from(row: AccountRow) -> Result<Self, Self::Error> {
        Ok(Self {
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            one_time_password: parse_one_time(
                row.must_change_password,
                row.password_expires_at,
                row.password_used_at,
            ),
        })
    }
}

fn parse_one_time(
    must_change: bool,
    expires_at: Option<Micros>,
    used_at: Option<Micros>,
) -> Option<OneTimePassword> {
    OneTimePassword::stored(must_change, expires_at.map(|at| at.0), used_at.map(|at| at.0))
}

/// Parses the name under which a status is stored.
pub fn parse_status(name: &str) -> Result<UserStatus, StorageError> {
    UserStatus::from_name(name).ok_or_else(|| StorageError::row("users", format!("unknown status `{name}`")))
}
