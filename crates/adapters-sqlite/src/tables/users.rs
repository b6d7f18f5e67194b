//! Users with their roles, one at a time.

use super::{
    permissions::{parse_permissions, parse_roles, permissions_of_user, roles_of_user},
    roles,
};
use crate::{
    columns::{Id, Micros},
    error::StorageError,
    schema::users,
};
use chrono::{DateTime, Utc};
use diesel::{
    AsChangeset, ExpressionMethods, Insertable, OptionalExtension, QueryDsl, Queryable, RunQueryDsl,
    Selectable, SelectableHelper, SqliteConnection,
    dsl::{exists, select},
    sqlite::Sqlite,
};
use domain::{
    authority::Target,
    changes::AccountState,
    login::{CanonicalLogin, Login},
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};

/// Returns the user `id`.
pub fn find(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(UserRow::as_select())
        .first(conn)
        .optional()?
        .map(User::try_from)
        .transpose()
}

/// Returns the user with this login, and their hash.
pub fn find_by_login(
    conn: &mut SqliteConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select())
        .first(conn)
        .optional()?
        .map(Credentials::try_from)
        .transpose()
}

/// Returns the user `id` with the permissions of their roles.
pub fn target(conn: &mut SqliteConnection, id: UserId) -> Result<Option<Target>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(TargetRow::as_select())
        .first(conn)
        .optional()?
        .map(Target::try_from)
        .transpose()
}

/// Returns the state of the user `id`.
pub fn account(conn: &mut SqliteConnection, id: UserId) -> Result<Option<AccountState>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(AccountRow::as_select())
        .first(conn)
        .optional()?
        .map(AccountState::try_from)
        .transpose()
}

/// Returns whether a user has this login.
pub fn has_login(conn: &mut SqliteConnection, login: &CanonicalLogin) -> Result<bool, StorageError> {
    let users = users::table.filter(users::canonical_login.eq(login.as_str()));
    Ok(select(exists(users)).get_result(conn)?)
}

/// Stores a user with their roles and hash.
pub fn insert(conn: &mut SqliteConnection, credentials: &Credentials) -> Result<(), StorageError> {
    let user = &credentials.user;
    diesel::insert_into(users::table)
        .values(NewUserRow::from(credentials))
        .execute(conn)?;
    roles::insert_roles_of(conn, user.id, &user.roles)
}

/// Replaces all of `user` but the logins and the roles, and the hash if one is given.
pub fn update(
    conn: &mut SqliteConnection,
    user: &User,
    hash: Option<&PasswordHash>,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(user.id.0)))
        .set(UserUpdateRow::new(user, hash))
        .execute(conn)?;
    Ok(())
}

/// Sets the time of the last login.
pub fn set_last_login(
    conn: &mut SqliteConnection,
    id: UserId,
    at: DateTime<Utc>,
) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(id.0)))
        .set(users::last_login_at.eq(Micros(at)))
        .execute(conn)?;
    Ok(())
}

/// Replaces the hash `old` by `new`, and returns whether it was `old`.
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

/// Removes the user `id`. Foreign keys remove their roles and sessions.
pub fn delete(conn: &mut SqliteConnection, id: UserId) -> Result<(), StorageError> {
    diesel::delete(users::table.find(Id(id.0))).execute(conn)?;
    Ok(())
}

#[derive(Insertable)]
#[diesel(table_name = users)]
struct NewUserRow<'a> {
    id: Id,
    login: &'a str,
    canonical_login: &'a str,
    password_hash: &'a str,
    status: &'static str,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    created_at: Micros,
    updated_at: Micros,
}

impl<'a> From<&'a Credentials> for NewUserRow<'a> {
    fn from(Credentials { user, hash }: &'a Credentials) -> Self {
        Self {
            id: Id(user.id.0),
            login: user.login.as_typed(),
            canonical_login: user.login.canonical().as_str(),
            password_hash: hash.as_phc(),
            status: status_name(user.status),
            token_epoch: user.epoch.0,
            must_change_password: user.must_change_password,
            revision: user.revision.0,
            created_at: Micros(user.created_at),
            updated_at: Micros(user.updated_at),
        }
    }
}

/// What an update writes. Without a hash, the stored one stays.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
struct UserUpdateRow<'a> {
    password_hash: Option<&'a str>,
    status: &'static str,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    updated_at: Micros,
}

impl<'a> UserUpdateRow<'a> {
    fn new(user: &User, hash: Option<&'a PasswordHash>) -> Self {
        Self {
            password_hash: hash.map(PasswordHash::as_phc),
            status: status_name(user.status),
            token_epoch: user.epoch.0,
            must_change_password: user.must_change_password,
            revision: user.revision.0,
            updated_at: Micros(user.updated_at),
        }
    }
}

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
            revision: Revision(row.revision),
            created_at: row.created_at.0,
            updated_at: row.updated_at.0,
            last_login_at: row.last_login_at.map(|at| at.0),
        })
    }
}

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
}

impl TryFrom<TargetRow> for Target {
    type Error = StorageError;

    fn try_from(row: TargetRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions.as_deref())?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Sqlite))]
pub struct AccountRow {
    status: String,
    token_epoch: i64,
}

impl TryFrom<AccountRow> for AccountState {
    type Error = StorageError;

    fn try_from(row: AccountRow) -> Result<Self, Self::Error> {
        Ok(Self {
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
        })
    }
}

/// Returns the name under which a status is stored.
pub fn status_name(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}

/// Parses the name under which a status is stored.
pub fn parse_status(name: &str) -> Result<UserStatus, StorageError> {
    [UserStatus::Active, UserStatus::Disabled]
        .into_iter()
        .find(|status| status_name(*status) == name)
        .ok_or_else(|| StorageError::row("users", format!("unknown status `{name}`")))
}
