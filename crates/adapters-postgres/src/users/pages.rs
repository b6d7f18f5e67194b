//! Pages of users, in the order of their canonical logins.

use super::{
    UserRow,
    rows::{CredentialsRow, status_name},
};
use crate::{
    error::StorageError,
    prepared::FirstRows,
    schema::{user_roles, users},
};
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, SelectableHelper, alias};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    role::RoleName,
    user::{Credentials, User, UserFilter, UserPage},
};

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
    // Under another name than the one by which each user's roles are looked up.
    let held = alias!(user_roles as held);
    let login = held.field(user_roles::canonical_login);
    let mut chosen = held
        .inner_join(users::table.on(users::id.eq(held.field(user_roles::user_id))))
        .filter(held.field(user_roles::role).eq(role.as_str()))
        .filter(login.gt(behind(page)))
        .order(login)
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(prefix) = &filter.login {
        chosen = chosen
            .filter(login.ge(prefix.as_str()))
            .filter(login.lt(prefix.end()));
    }
    if let Some(status) = filter.status {
        chosen = chosen.filter(held.field(user_roles::status).eq(status_name(status)));
    }
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
    let enough = LENGTHS.into_iter().find(|it| *it >= page.limit);
    FirstRows {
        of,
        at_most: enough.unwrap_or(page.limit),
    }
}

fn length(page: &UserPage) -> usize {
    usize::try_from(page.limit).unwrap_or(usize::MAX)
}

/// Empty for the first page: no login sorts before the empty text.
fn behind(page: &UserPage) -> &str {
    page.after.as_ref().map_or("", |login| login.as_str())
}
