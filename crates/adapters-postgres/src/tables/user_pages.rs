//! Pages of users, in the order of their canonical logins.

mod first_holders;
mod onwards;

use super::user_rows::{CredentialsRow, UserRow, status_name};
use crate::{error::StorageError, prepared::FirstRows, schema::users};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    role::RoleName,
    user::{Credentials, User, UserFilter, UserPage},
};
use first_holders::FirstHolders;
use onwards::Onwards;

/// The numbers of rows that a statement may ask for; the smallest that is enough is used. They are the default and the largest
/// page size, and one row more, which shows whether there is another page.
const LENGTHS: [u32; 2] = [21, 101];

/// Returns a page of the users that match `filter`.
///
/// Each filter has an index in the order of the pages, which is walked from where the page begins; one plan serves all values.
/// The end of the matching users is found here and not in SQL: given an upper bound, the server would expect few rows before it.
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<User>, StorageError> {
    let onwards = Onwards {
        role: filter.role.as_ref().map(RoleName::as_str),
        status: filter.status.map(status_name),
        login: page.begins_at(filter.login.as_ref()),
    };
    let rows = if onwards.role.is_some() {
        with_role(conn, onwards, page).await?
    } else {
        with_any_role(conn, onwards, page).await?
    };
    let walked = rows.into_iter().take(length(page)).map(User::try_from);
    let mut users: Vec<User> = walked.collect::<Result<_, _>>()?;
    users.retain(|user| filter.holds_for(user));
    Ok(users)
}

async fn with_any_role(
    conn: &mut AsyncPgConnection,
    onwards: Onwards<'_>,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let by_status = onwards.status.is_some();
    let chosen = users::table
        .filter(onwards)
        .select(UserRow::as_select())
        .into_boxed();
    let ordered = if by_status {
        chosen.order((users::status, users::canonical_login))
    } else {
        chosen.order(users::canonical_login)
    };
    let first = FirstRows {
        of: ordered,
        at_most: enough(page),
    };
    Ok(first.load(conn).await?)
}

async fn with_role(
    conn: &mut AsyncPgConnection,
    onwards: Onwards<'_>,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let first = FirstHolders {
        onwards,
        at_most: enough(page),
    };
    let chosen = users::table
        .filter(first)
        .order(users::canonical_login)
        .select(UserRow::as_select());
    Ok(chosen.load(conn).await?)
}

/// Returns a page of all users with their password hashes.
pub async fn export(conn: &mut AsyncPgConnection, page: &UserPage) -> Result<Vec<Credentials>, StorageError> {
    let rows: Vec<CredentialsRow> = users::table
        .filter(users::canonical_login.ge(page.begins_at(None)))
        .order(users::canonical_login)
        .limit(page.limit.into())
        .select(CredentialsRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Credentials::try_from).collect()
}

fn enough(page: &UserPage) -> u32 {
    let enough = LENGTHS.into_iter().find(|it| *it >= page.limit);
    enough.unwrap_or(page.limit)
}

fn length(page: &UserPage) -> usize {
    usize::try_from(page.limit).unwrap_or(usize::MAX)
}
