//! Users as rows.

use super::permissions::{
    parse_permissions, parse_roles, permissions_of_user, privileged_roles_of_user, roles_of_user,
};
use crate::{error::StorageError, schema::users};
use chrono::{DateTime, Utc};
use diesel::{Queryable, Selectable, pg::Pg};
use domain::{
    authority::Target,
    changes::AccountState,
    login::Login,
    one_time_password::OneTimePassword,
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, User, UserId, UserStatus},
};
use uuid::Uuid;

/// A user with their roles, both read at the same instant.
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
    password_expires_at: Option<DateTime<Utc>>,
    password_used_at: Option<DateTime<Utc>>,
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
            one_time_password: OneTimePassword::stored(
                row.must_change_password,
                row.password_expires_at,
                row.password_used_at,
            ),
            revision: Revision(row.revision),
            created_at: row.created_at,
            updated_at: row.updated_at,
            last_login_at: row.last_login_at,
        })
    }
}

/// A user with their password hash.
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

/// A user with their privileges, all read at the same instant.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct TargetRow {
    #[diesel(embed)]
    user: UserRow,
    #[diesel(select_expression = permissions_of_user())]
    permissions: Option<Vec<String>>,
    #[diesel(select_expression = privileged_roles_of_user())]
    privileged_roles: Option<Vec<String>>,
}

impl TryFrom<TargetRow> for Target {
    type Error = StorageError;

    fn try_from(row: TargetRow) -> Result<Self, Self::Error> {
        Ok(Self {
            user: row.user.try_into()?,
            permissions: parse_permissions(row.permissions)?,
            privileged_roles: parse_roles(row.privileged_roles)?,
        })
    }
}

/// The row's own columns, which a statement that locks the row may return.
#[derive(Queryable, Selectable)]
#[diesel(table_name = users, check_for_backend(Pg))]
pub struct LockedUserRow {
    id: Uuid,
    status: String,
    token_epoch: i64,
    must_change_password: bool,
    password_expires_at: Option<DateTime<Utc>>,
    password_used_at: Option<DateTime<Utc>>,
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
                one_time_password: OneTimePassword::stored(
                    row.must_change_password,
                    row.password_expires_at,
                    row.password_used_at,
                ),
            },
        })
    }
}

/// Parses the name under which a status is stored.
pub fn parse_status(name: &str) -> Result<UserStatus, StorageError> {
    UserStatus::from_name(name).ok_or_else(|| StorageError::row("users", format!("unknown status `{name}`")))
}
