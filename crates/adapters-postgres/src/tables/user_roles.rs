//! Which users have which roles.

use super::permissions::role_texts;
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{roles, user_roles},
};
use diesel::{
    ExpressionMethods, IntoSql, QueryDsl,
    dsl::count_star,
    sql_query,
    sql_types::{Array, Text, Uuid as SqlUuid},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    role::{RoleName, RoleNames},
    user::{User, UserId},
};
use uuid::Uuid;

/// Makes `names` the roles of `user`, and no others. Two statements.
pub async fn replace(
    conn: &mut AsyncPgConnection,
    user: UserId,
    names: &RoleNames,
) -> Result<(), StorageError> {
    let dropped = user_roles::table
        .filter(user_roles::user_id.eq(user.0))
        .filter(user_roles::role.ne_all(role_texts(names)));
    diesel::delete(dropped).execute(conn).await?;
    grant(conn, user, names).await
}

/// Gives `user` those of `names` that they do not have.
pub async fn grant(
    conn: &mut AsyncPgConnection,
    user: UserId,
    names: &RoleNames,
) -> Result<(), StorageError> {
    // Selected from the catalogue, so that one statement, always the same, serves any number of roles.
    let wanted = roles::table
        .filter(roles::name.eq_any(role_texts(names)))
        .select((user.0.into_sql::<SqlUuid>(), roles::name));
    diesel::insert_into(user_roles::table)
        .values(wanted)
        .into_columns((user_roles::user_id, user_roles::role))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

const GRANT_TO_MANY: &str = "INSERT INTO user_roles (user_id, role) SELECT * FROM unnest($1, $2)";

/// Gives new users their roles.
pub async fn grant_to_many<'a>(
    conn: &mut AsyncPgConnection,
    users: impl Iterator<Item = &'a User>,
) -> Result<(), StorageError> {
    let (ids, names): (Vec<Uuid>, Vec<&str>) = users
        .flat_map(|user| user.roles.iter().map(|role| (user.id.0, role.as_str())))
        .unzip();
    let statement = sql_query(GRANT_TO_MANY)
        .bind::<Array<SqlUuid>, _>(ids)
        .bind::<Array<Text>, _>(names);
    Prepared(statement).execute(conn).await?;
    Ok(())
}

/// Returns how many users have a role.
pub async fn count_holders(conn: &mut AsyncPgConnection, role: &RoleName) -> Result<u64, StorageError> {
    let holding = user_roles::table.filter(user_roles::role.eq(role.as_str()));
    let count: i64 = holding.select(count_star()).first(conn).await?;
    Ok(count.unsigned_abs())
}
