//! Roles and permissions of users as columns of other queries, so that all is read in one
//! statement.

use crate::{
    error::StorageError,
    schema::{role_permissions, roles, user_roles, users},
};
use diesel::{
    ExpressionMethods, JoinOnDsl, QueryDsl, declare_sql_function,
    dsl::{auto_type, not},
    sql_types::Text,
};
use domain::role::{Permission, Permissions, RoleName, RoleNames};

#[declare_sql_function]
extern "SQL" {
    /// Joins the texts of a group with commas. Neither roles nor permissions contain a comma.
    #[aggregate]
    fn group_concat(text: Text) -> Nullable<Text>;
}

/// The names of the user's roles, in a query on `users`.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(user_roles::role))
        .single_value()
}

/// The permissions of all of the user's roles, in a query on `users`.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// The user's roles that are not self-assignable, in a query on `users`.
#[auto_type]
pub fn privileged_roles_of_user() -> _ {
    user_roles::table
        .inner_join(roles::table.on(roles::name.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .filter(not(roles::self_assignable))
        .select(group_concat(user_roles::role))
        .single_value()
}

/// The permissions of the role, in a query on `roles`.
#[auto_type]
pub fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// Parses the columns [`roles_of_user`] and [`privileged_roles_of_user`].
pub fn parse_roles(joined: Option<&str>) -> Result<RoleNames, StorageError> {
    split(joined)
        .map(|name| RoleName::parse(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// Parses the columns [`permissions_of_user`] and [`permissions_of_role`].
pub fn parse_permissions(joined: Option<&str>) -> Result<Permissions, StorageError> {
    split(joined)
        .map(|text| Permission::parse(text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

fn split(joined: Option<&str>) -> impl Iterator<Item = &str> {
    joined.into_iter().flat_map(|joined| joined.split(','))
}
