//! Reads many users at once.

use super::{
    rows::parse_all,
    users::{CredentialsRow, UserRow},
};
use crate::{
    error::StorageError,
    schema::{user_roles, users},
};
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};
use domain::{
    login::{CanonicalLogin, LoginPrefix},
    role::RoleName,
    user::{Credentials, User, UserFilter, UserPage, UserStatus},
};
use std::collections::HashSet;

/// Returns those of `logins` that users have. SQLite accepts at most 32,766 at once.
pub fn taken_logins(
    conn: &mut SqliteConnection,
    logins: &[&CanonicalLogin],
) -> Result<Vec<CanonicalLogin>, StorageError> {
    let texts = logins.iter().map(|login| login.as_str());
    let taken: HashSet<String> = users::table
        .filter(users::canonical_login.eq_any(texts))
        .select(users::canonical_login)
        .load_iter(conn)?
        .collect::<Result<_, _>>()?;
    let is_taken = |login: &&&CanonicalLogin| taken.contains(login.as_str());
    Ok(logins.iter().filter(is_taken).copied().cloned().collect())
}

/// Returns a page of the users that match `filter`. Each page is a range of an index.
pub fn list(
    conn: &mut SqliteConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<User>, StorageError> {
    let prefix = filter.login.as_ref();
    let range = Range {
        from: page.begins_at(prefix),
        until: prefix.map(LoginPrefix::end),
        limit: page.limit.into(),
    };
    let rows = match &filter.role {
        Some(role) => holders(conn, role, filter.status, &range)?,
        None => all(conn, filter.status, &range)?,
    };
    rows.into_iter().map(User::try_from).collect()
}

/// Returns a page of all users with their hashes.
pub fn export(conn: &mut SqliteConnection, page: &UserPage) -> Result<Vec<Credentials>, StorageError> {
    let users = users::table
        .filter(users::canonical_login.ge(page.begins_at(None)))
        .order(users::canonical_login)
        .limit(page.limit.into())
        .select(CredentialsRow::as_select());
    parse_all(users.load(conn))
}

/// A range of canonical logins in the order of their code points: at most `limit` logins from
/// `from` on and, if it is set, before `until`.
struct Range {
    from: String,
    until: Option<String>,
    limit: i64,
}

fn all(
    conn: &mut SqliteConnection,
    status: Option<UserStatus>,
    range: &Range,
) -> Result<Vec<UserRow>, StorageError> {
    let mut page = users::table
        .filter(users::canonical_login.ge(&range.from))
        .order(users::canonical_login)
        .limit(range.limit)
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(until) = &range.until {
        page = page.filter(users::canonical_login.lt(until));
    }
    if let Some(status) = status {
        page = page.filter(users::status.eq(status.as_str()));
    }
    Ok(page.load(conn)?)
}

fn holders(
    conn: &mut SqliteConnection,
    role: &RoleName,
    status: Option<UserStatus>,
    range: &Range,
) -> Result<Vec<UserRow>, StorageError> {
    // An alias is needed because the query also reads all roles of the user from this table.
    let held = diesel::alias!(user_roles as held);
    let login = held.field(user_roles::canonical_login);
    let mut page = held
        .inner_join(users::table.on(users::id.eq(held.field(user_roles::user_id))))
        .filter(held.field(user_roles::role).eq(role.as_str()))
        .filter(login.ge(&range.from))
        .order(login)
        .limit(range.limit)
        .select(UserRow::as_select())
        .into_boxed();
    if let Some(until) = &range.until {
        page = page.filter(login.lt(until));
    }
    if let Some(status) = status {
        page = page.filter(held.field(user_roles::status).eq(status.as_str()));
    }
    Ok(page.load(conn)?)
}
