//! Users as rows.

use super::permissions::{parse_permissions, parse_roles, permissions_of_user, roles_of_user};
use crate::{error::StorageError, schema::users};
use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable, pg::Pg};
use domain::{
    authority::Target,
    changes::AccountState,
    login::Login,
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};
use uuid::Uuid;

#[derive(Insertable)]
#[diesel(table_name = users, treat_none_as_default_value = false)]
pub struct NewUserRow<'a> {
    id: Uuid,
    login: &'a str,
    canonical_login: &'a str,
    password_hash: &'a str,
    status: &'static str,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
}

impl<'a> From<&'a Credentials> for NewUserRow<'a> {
    fn from(Credentials { user, hash }: &'a Credentials) -> Self {
        Self {
            id: user.id.0,
            login: user.login.as_typed(),
            canonical_login: user.login.canonical().as_str(),
            password_hash: hash.as_phc(),
            status: status_name(user.status),
            token_epoch: user.epoch.0,
            must_change_password: user.must_change_password,
            revision: user.revision.0,
            created_at: user.created_at,
            updated_at: user.updated_at,
            last_login_at: user.last_login_at,
        }
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct UserRow {
    id: Uuid,
    login: String,
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    revision: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    last_login_at: Option<DateTime<Utc>>,
    #[diesel(select_expression = roles_of_user())]
    roles: Option<Vec<String>>,
}

impl TryFrom<UserRow> for User {
    type Error = StorageError;

    fn try_from(row: UserRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: UserId(row.id),
            login: Login::parse(&row.login).map_err(|error| StorageError::row("users", error))?,
            roles: parse_roles(row.roles)?,
            status: parse_status(&row.status)?,
            epoch: Epoch(row.token_epoch),
            must_change_password: row.must_change_password,
            revision: Revision(row.revision),
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
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

/// A user with what their roles allow, both as of one instant.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct TargetRow {
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<Vec<String>>,
}

impl TryFrom<TargetRow> for Target {
    type Error = StorageError;

    fn try_from(row: TargetRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions)?,
        })
    }
}

/// The columns that a statement which locks the row may return: its own ones.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct LockedUserRow {
    id: Uuid,
    status: String,
    token_epoch: i64,
}

/// A user whose row is locked.
#[derive(Clone, Copy, Debug)]
pub struct LockedUser {
    pub id: UserId,
    pub state: AccountState,
}

impl TryFrom<LockedUserRow> for LockedUser {
    type Error = StorageError;

    fn try_from(row: LockedUserRow) -> Result<Self, Self::Error> {
        Ok(Self {
            id: UserId(row.id),
            state: AccountState {
                status: parse_status(&row.status)?,
                epoch: Epoch(row.token_epoch),
            },
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

/// Returns the status that is stored under `name`.
pub fn parse_status(name: &str) -> Result<UserStatus, StorageError> {
    [UserStatus::Active, UserStatus::Disabled]
        .into_iter()
        .find(|status| status_name(*status) == name)
        .ok_or_else(|| StorageError::row("users", format!("no status is called `{name}`")))
}
