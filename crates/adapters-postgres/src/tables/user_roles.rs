//! The roles of users. A user with the role `admin` is an administrator.

use super::permissions::role_texts;
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{user_roles, users},
};
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{auto_type, count_star, exists, select},
    sql_query,
    sql_types::{Array, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    role::RoleName,
    user::{User, UserId},
};
use std::iter;
use uuid::Uuid;

/// Replaces the stored roles of `user` with `user.roles`. Runs two statements.
pub async fn replace(conn: &mut AsyncPgConnection, user: &User) -> Result<(), StorageError> {
    let lost = user_roles::table
        .filter(user_roles::user_id.eq(user.id.0))
        .filter(user_roles::role.ne_all(role_texts(&user.roles)));
    diesel::delete(lost).execute(conn).await?;
    grant(conn, iter::once(user)).await
}

const GRANT: &str =
    "INSERT INTO user_roles (user_id, role) SELECT * FROM unnest($1, $2) ON CONFLICT DO NOTHING";

/// Stores the roles of `users` that are not stored yet. The caller MUST have locked these roles.
pub async fn grant<'a>(
    conn: &mut AsyncPgConnection,
    users: impl Iterator<Item = &'a User>,
) -> Result<(), StorageError> {
    let (ids, names): (Vec<Uuid>, Vec<&str>) = users
        .flat_map(|user| user.roles.iter().map(|role| (user.id.0, role.as_str())))
        .unzip();
    let statement = sql_query(GRANT)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(names);
    Prepared(statement).execute(conn).await?;
    Ok(())
}

/// Returns the number of users who have `role`.
pub async fn count_holders(conn: &mut AsyncPgConnection, role: &RoleName) -> Result<u64, StorageError> {
    let holding = user_roles::table.filter(user_roles::role.eq(role.as_str()));
    let count: i64 = holding.select(count_star()).first(conn).await?;
    Ok(count.unsigned_abs())
}

/// Returns whether there is an active administrator.
pub async fn any_admin(conn: &mut AsyncPgConnection) -> Result<bool, StorageError> {
    Ok(select(exists(active_admins())).get_result(conn).await?)
}

/// Returns whether there is an active administrator other than `user`.
pub async fn any_admin_but(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, StorageError> {
    let others = active_admins().filter(users::id.ne(user.0));
    Ok(select(exists(others)).get_result(conn).await?)
}

/// Returns whether `user` is an active administrator.
pub async fn is_active_admin(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, StorageError> {
    let one = active_admins().filter(users::id.eq(user.0));
    Ok(select(exists(one)).get_result(conn).await?)
}

#[auto_type]
fn active_admins() -> _ {
    user_roles::table
        .inner_join(users::table)
        .filter(user_roles::role.eq("admin"))
        .filter(users::status.eq("active"))
}
