//! Roles and permissions as parts of queries on other tables, and their texts.

use crate::{
    error::StorageError,
    schema::{role_permissions, roles, sessions, user_roles, users},
};
use diesel::{ExpressionMethods, JoinOnDsl, QueryDsl, declare_sql_function, dsl::auto_type, sql_types::Text};
use domain::role::{Permission, Permissions, RoleName, RoleNames};

#[declare_sql_function]
extern "SQL" {
    /// Returns the texts of a group; `NULL` if there are none.
    #[aggregate]
    fn array_agg(text: Text) -> Nullable<Array<Text>>;
}

/// In a query on `users`: the names of the user's roles, as of the same instant.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// In a query on `sessions`: the names of the holder's roles, as of the same instant.
#[auto_type]
pub fn roles_of_holder() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(sessions::user_id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// In a query on `users`: what the user's roles allow, as of the same instant.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// In a query on `roles`: what the role allows, as of the same instant.
#[auto_type]
pub fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// Parses what [`roles_of_user`] returned.
pub fn parse_roles(names: Option<Vec<String>>) -> Result<RoleNames, StorageError> {
    names
        .into_iter()
        .flatten()
        .map(|name| RoleName::try_from(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// Parses what [`permissions_of_user`] returned.
pub fn parse_permissions(texts: Option<Vec<String>>) -> Result<Permissions, StorageError> {
    texts
        .into_iter()
        .flatten()
        .map(|text| Permission::parse(&text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

pub fn role_texts(names: &RoleNames) -> Vec<&str> {
    names.iter().map(RoleName::as_str).collect()
}

pub fn permission_texts(permissions: &Permissions) -> Vec<&str> {
    permissions.iter().map(Permission::as_str).collect()
}
