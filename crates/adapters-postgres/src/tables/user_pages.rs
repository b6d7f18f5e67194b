//! Reads many users at once, in pages in the order of canonical logins.

mod walk;

use super::{
    rows::parse_all,
    user_rows::{CredentialsRow, UserRow},
};
use crate::{error::StorageError, prepared::FirstRows, schema::users};
use diesel::{ExpressionMethods, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    login::CanonicalLogin,
    role::RoleName,
    user::{Credentials, User, UserFilter, UserPage, UserStatus},
};
use std::collections::BTreeSet;
use walk::Walk;

/// The numbers of rows that a statement may ask for; the smallest that is enough is used. They are
/// the default and the largest page size, and one row more, which shows whether there is another
/// page.
const LENGTHS: [u32; 2] = [21, 101];

/// Returns those of `logins` that existing users have.
pub async fn taken_logins(
    conn: &mut AsyncPgConnection,
    logins: impl Iterator<Item = &CanonicalLogin>,
) -> Result<BTreeSet<CanonicalLogin>, StorageError> {
    let logins: Vec<&CanonicalLogin> = logins.collect();
    let texts: Vec<&str> = logins.iter().map(|login| login.as_str()).collect();
    let taken: Vec<String> = users::table
        .filter(users::canonical_login.eq_any(texts))
        .select(users::canonical_login)
        .load(conn)
        .await?;
    let taken: BTreeSet<String> = taken.into_iter().collect();
    let taken = logins.into_iter().filter(|login| taken.contains(login.as_str()));
    Ok(taken.cloned().collect())
}

/// Returns a page of the users that match `filter`.
///
/// Each filter has an index in the order of the pages. The statement walks the index from the start
/// of the page, so one plan serves all values. This function, not the statement, finds the end of
/// the matching users: given an upper bound, the server would expect few rows before it.
pub async fn list(
    conn: &mut AsyncPgConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<User>, StorageError> {
    let walk = Walk {
        role: filter.role.as_ref().map(RoleName::as_str),
        status: filter.status.map(UserStatus::as_str),
        login: page.begins_at(filter.login.as_ref()),
    };
    let rows = if walk.role.is_some() {
        with_role(conn, &walk, page).await?
    } else {
        with_any_role(conn, &walk, page).await?
    };
    let walked = rows.into_iter().take(length(page)).map(User::try_from);
    let mut users: Vec<User> = walked.collect::<Result<_, _>>()?;
    users.retain(|user| filter.holds_for(user));
    Ok(users)
}

async fn with_any_role(
    conn: &mut AsyncPgConnection,
    walk: &Walk<'_>,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let chosen = users::table
        .filter(walk.rest())
        .select(UserRow::as_select())
        .into_boxed();
    let of = if walk.status.is_some() {
        chosen.order((users::status, users::canonical_login))
    } else {
        chosen.order(users::canonical_login)
    };
    let at_most = enough(page);
    Ok(FirstRows { of, at_most }.load(conn).await?)
}

async fn with_role(
    conn: &mut AsyncPgConnection,
    walk: &Walk<'_>,
    page: &UserPage,
) -> Result<Vec<UserRow>, StorageError> {
    let chosen = users::table
        .filter(walk.first_holders(enough(page)))
        .order(users::canonical_login)
        .select(UserRow::as_select());
    Ok(chosen.load(conn).await?)
}

/// Returns a page of all users with their password hashes.
pub async fn export(conn: &mut AsyncPgConnection, page: &UserPage) -> Result<Vec<Credentials>, StorageError> {
    let users = users::table
        .filter(users::canonical_login.ge(page.begins_at(None)))
        .order(users::canonical_login)
        .limit(page.limit.into())
        .select(CredentialsRow::as_select());
    parse_all(users.load(conn).await)
}

fn enough(page: &UserPage) -> u32 {
    let enough = LENGTHS.into_iter().find(|it| *it >= page.limit);
    enough.unwrap_or(page.limit)
}

fn length(page: &UserPage) -> usize {
    usize::try_from(page.limit).unwrap_or(usize::MAX)
}
