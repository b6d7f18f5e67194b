//! Users as rows.

use crate::{
    error::StorageError,
    roles::{parse_roles, roles_of_user},
    schema::users,
};
use chrono::{DateTime, Utc};
use diesel::{Insertable, Queryable, Selectable, pg::Pg};
use domain::{
    login::Login,
    password::PasswordHash,
    revision::Revision,
    user::{Credentials, Epoch, NewUser, User, UserId, UserStatus},
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
}

impl<'a> NewUserRow<'a> {
    pub fn registered_at(now: DateTime<Utc>, user: &'a NewUser) -> Self {
        Self {
            id: user.id.0,
            login: user.login.as_typed(),
            canonical_login: user.login.canonical().as_str(),
            password_hash: user.hash.as_phc(),
            status: status_name(UserStatus::Active),
            token_epoch: Epoch::FIRST.0,
            must_change_password: false,
            revision: Revision::FIRST.0,
            created_at: now,
            updated_at: now,
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
