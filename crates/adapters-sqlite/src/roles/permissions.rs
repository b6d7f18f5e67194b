//! What users have and may do, read in one statement with whatever asks for it.

use crate::{
    error::StorageError,
    schema::{role_permissions, roles, user_roles, users},
};
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, declare_sql_function, dsl::auto_type, sql_types::Text};
use domain::role::{Permission, Permissions, RoleName, RoleNames};

#[declare_sql_function]
extern "SQL" {
    /// The texts of a group with commas between them. Neither roles nor permissions have a comma.
    #[aggregate]
    fn group_concat(text: Text) -> Nullable<Text>;
}

/// For a query on `users`: the names of the user's roles, so that both are of one instant.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(user_roles::role))
        .single_value()
}

/// For a query on `users`: what the user's roles allow, so that both are of one instant.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// For a query on `roles`: what the role allows.
#[auto_type]
pub fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(group_concat(role_permissions::permission))
        .single_value()
}

/// What [`roles_of_user`] found.
pub fn parse_roles(joined: Option<&str>) -> Result<RoleNames, StorageError> {
    each(joined)
        .map(|name| RoleName::parse(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// What [`permissions_of_user`] found.
pub fn parse_permissions(joined: Option<&str>) -> Result<Permissions, StorageError> {
    each(joined)
        .map(|text| Permission::parse(text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

fn each(joined: Option<&str>) -> impl Iterator<Item = &str> {
    joined.into_iter().flat_map(|joined| joined.split(','))
}
