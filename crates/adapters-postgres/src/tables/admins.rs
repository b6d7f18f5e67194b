//! Questions about administrators: users with the role `admin`.

use crate::{
    error::StorageError,
    schema::{user_roles, users},
};
use diesel::{
    ExpressionMethods, QueryDsl,
    dsl::{auto_type, exists, select},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::user::UserId;

/// Whether there is an active administrator.
pub async fn exists_any(conn: &mut AsyncPgConnection) -> Result<bool, StorageError> {
    Ok(select(exists(active())).get_result(conn).await?)
}

/// Whether there is an active administrator besides `user`.
pub async fn exists_besides(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, StorageError> {
    let others = active().filter(users::id.ne(user.0));
    Ok(select(exists(others)).get_result(conn).await?)
}

/// Whether `user` is an active administrator.
pub async fn is_active_admin(conn: &mut AsyncPgConnection, user: UserId) -> Result<bool, StorageError> {
    let one = active().filter(users::id.eq(user.0));
    Ok(select(exists(one)).get_result(conn).await?)
}

#[auto_type]
fn active() -> _ {
    user_roles::table
        .inner_join(users::table)
        .filter(user_roles::role.eq("admin"))
        .filter(users::status.eq("active"))
}
