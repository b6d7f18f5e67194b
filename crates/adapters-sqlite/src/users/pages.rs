//! Users as they are read: one of them, or a page.

use super::rows::{CredentialsRow, UserRow, status_name};
use crate::{
    columns::Id,
    error::StorageError,
    schema::{user_roles, users},
};
use diesel::{
    ExpressionMethods, JoinOnDsl, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper,
    SqliteConnection,
};
use domain::{
    login::{CanonicalLogin, LoginPrefix},
    role::RoleName,
    user::{Credentials, User, UserFilter, UserId, UserPage, UserStatus},
};

pub fn find(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(UserRow::as_select())
        .first(conn)
        .optional()?
        .map(User::try_from)
        .transpose()
}

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

/// Every page is a range of an index, whatever is asked for: one begins where the one before it ended.
pub fn list(
    conn: &mut SqliteConnection,
    filter: &UserFilter,
    page: &UserPage,
) -> Result<Vec<User>, StorageError> {
    let range = Range::new(filter.login.as_ref(), page);
    let rows = match &filter.role {
        Some(role) => holders(conn, role, filter.status, &range)?,
        None => anybody(conn, filter.status, &range)?,
    };
    rows.into_iter().map(User::try_from).collect()
}

pub fn export(conn: &mut SqliteConnection, page: &UserPage) -> Result<Vec<Credentials>, StorageError> {
    let range = Range::new(None, page);
    users::table
        .filter(users::canonical_login.ge(range.from))
        .order(users::canonical_login)
        .limit(range.limit)
        .select(CredentialsRow::as_select())
        .load(conn)?
        .into_iter()
        .map(Credentials::try_from)
        .collect()
}

/// Canonical logins from `from` on and, if it is set, before `until`, in the order of their code points; at most `limit`.
struct Range {
    from: String,
    until: Option<String>,
    limit: i64,
}

impl Range {
    fn new(prefix: Option<&LoginPrefix>, page: &UserPage) -> Self {
        Self {
            from: page.begins_at(prefix),
            until: prefix.map(LoginPrefix::end),
            limit: page.limit.into(),
        }
    }
}

fn anybody(
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
        page = page.filter(users::status.eq(status_name(status)));
    }
    Ok(page.load(conn)?)
}

fn holders(
    conn: &mut SqliteConnection,
    role: &RoleName,
    status: Option<UserStatus>,
    range: &Range,
) -> Result<Vec<UserRow>, StorageError> {
    // By another name: the user's roles are read from the same table.
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
        page = page.filter(held.field(user_roles::status).eq(status_name(status)));
    }
    Ok(page.load(conn)?)
}
