//! Pages of users, in the order of their canonical logins.

mod first_holders;

use super::{
    UserRow,
    rows::{CredentialsRow, status_name},
};
use crate::{error::StorageError, prepared::FirstRows, schema::users};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    role::RoleName,
    user::{Credentials, User, UserFilter, UserPage},
};
use first_holders::FirstHolders;

/// How many rows are asked for: the smallest of these that is enough. A page of the default size, or of the largest, is one
/// row longer than it shows.
const LENGTHS: [u32; 2] = [21, 101];

/// Each filter has an index in the order of the pages, so that one plan serves all values.
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<User>, StorageError> {
    let rows = match &filter.role {
        Some(role) => with_role(conn, role, filter, page).await?,
        None => with_any_role(conn, filter, page).await?,
    };
    rows.into_iter().take(length(page)).map(User::try_from).collect()
}

async fn with_any_role(
    conn: &mut AsyncPgConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let mut chosen = users::table
        .filter(users::canonical_login.gt(behind(page)))
        .order(users::canonical_login)
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(prefix) = &filter.login {
        chosen = chosen
            .filter(users::canonical_login.ge(prefix.as_str()))
            .filter(users::canonical_login.lt(prefix.end()));
    }
    if let Some(status) = filter.status {
        chosen = chosen.filter(users::status.eq(status_name(status)));
    }
    Ok(first_rows(chosen, page).load(conn).await?)
}

async fn with_role(
    conn: &mut AsyncPgConnection,
    role: &RoleName,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let first = FirstHolders {
        role: role.as_str(),
        behind: behind(page),
        prefix: filter
            .login
            .as_ref()
            .map(|prefix| (prefix.as_str(), prefix.end())),
        status: filter.status.map(status_name),
        at_most: enough(page),
    };
    let chosen = users::table
        .filter(first)
        .order(users::canonical_login)
        .select(UserRow::as_select());
    Ok(first_rows(chosen, page).load(conn).await?)
}

pub async fn export(conn: &mut AsyncPgConnection, page: &UserPage) -> Result<Vec<Credentials>, StorageError> {
    let rows: Vec<CredentialsRow> = users::table
        .filter(users::canonical_login.gt(behind(page)))
        .order(users::canonical_login)
        .limit(page.limit.into())
        .select(CredentialsRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Credentials::try_from).collect()
}

fn first_rows<Q>(of: Q, page: &UserPage) -> FirstRows<Q> {
    FirstRows {
        of,
        at_most: enough(page),
    }
}

fn enough(page: &UserPage) -> u32 {
    let enough = LENGTHS.into_iter().find(|it| *it >= page.limit);
    enough.unwrap_or(page.limit)
}

fn length(page: &UserPage) -> usize {
    usize::try_from(page.limit).unwrap_or(usize::MAX)
}

/// Empty for the first page: no login sorts before the empty text.
fn behind(page: &UserPage) -> &str {
    page.after.as_ref().map_or("", |login| login.as_str())
}
