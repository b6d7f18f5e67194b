//! Users as rows.

use crate::{
    columns::{Id, Micros},
    error::StorageError,
    roles::{parse_roles, roles_of_user},
    schema::users,
};
use diesel::{AsChangeset, Insertable, Queryable, Selectable, sqlite::Sqlite};
use domain::{
    login::Login,
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};

#[derive(Insertable)]
#[diesel(table_name = users)]
pub struct NewUserRow<'a> {
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

impl<'a> NewUserRow<'a> {
    pub fn new(user: &'a User, hash: &'a PasswordHash) -> Self {
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

/// What changes of a user, but for their roles, password and logins.
#[derive(AsChangeset)]
#[diesel(table_name = users)]
pub struct UserChange {
    status: &'static str,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    updated_at: Micros,
}

impl From<&User> for UserChange {
    fn from(user: &User) -> Self {
        Self {
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

/// The name under which a status is kept.
pub fn status_name(status: UserStatus) -> &'static str {
    match status {
        UserStatus::Active => "active",
        UserStatus::Disabled => "disabled",
    }
}

/// The status kept under `name`.
pub fn parse_status(name: &str) -> Result<UserStatus, StorageError> {
    [UserStatus::Active, UserStatus::Disabled]
        .into_iter()
        .find(|status| status_name(*status) == name)
        .ok_or_else(|| StorageError::row("users", format!("no status is called `{name}`")))
}
