//! Roles and permissions as parts of queries on other tables, and their texts.

use crate::{
    error::StorageError,
    schema::{role_permissions, roles, sessions, user_roles, users},
};
use diesel::{
    ExpressionMethods, JoinOnDsl, QueryDsl, declare_sql_function,
    dsl::{auto_type, not},
    sql_types::Text,
};
use domain::role::{Permission, Permissions, RoleName, RoleNames};

#[declare_sql_function]
extern "SQL" {
    /// Returns the texts of a group; `NULL` if there are none.
    #[aggregate]
    fn array_agg(text: Text) -> Nullable<Array<Text>>;
}

/// The names of the user's roles in a query on `users`, as of the same instant.
#[auto_type]
pub fn roles_of_user() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// The names of the holder's roles in a query on `sessions`, as of the same instant.
#[auto_type]
pub fn roles_of_holder() -> _ {
    user_roles::table
        .filter(user_roles::user_id.eq(sessions::user_id))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// The permissions of the user's roles in a query on `users`, as of the same instant.
#[auto_type]
pub fn permissions_of_user() -> _ {
    user_roles::table
        .inner_join(role_permissions::table.on(role_permissions::role.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// The user's roles that are not self-assignable, in a query on `users`, as of the same instant.
#[auto_type]
pub fn privileged_roles_of_user() -> _ {
    user_roles::table
        .inner_join(roles::table.on(roles::name.eq(user_roles::role)))
        .filter(user_roles::user_id.eq(users::id))
        .filter(not(roles::self_assignable))
        .select(array_agg(user_roles::role))
        .single_value()
}

/// The permissions of the role in a query on `roles`, as of the same instant.
#[auto_type]
pub fn permissions_of_role() -> _ {
    role_permissions::table
        .filter(role_permissions::role.eq(roles::name))
        .select(array_agg(role_permissions::permission))
        .single_value()
}

/// Parses the columns [`roles_of_user`], [`privileged_roles_of_user`] and [`roles_of_holder`].
pub fn parse_roles(names: Option<Vec<String>>) -> Result<RoleNames, StorageError> {
    names
        .into_iter()
        .flatten()
        .map(|name| RoleName::try_from(name).map_err(|error| StorageError::row("user_roles", error)))
        .collect()
}

/// Parses the columns [`permissions_of_user`] and [`permissions_of_role`].
pub fn parse_permissions(texts: Option<Vec<String>>) -> Result<Permissions, StorageError> {
    texts
        .into_iter()
        .flatten()
        .map(|text| Permission::parse(&text).map_err(|error| StorageError::row("role_permissions", error)))
        .collect()
}

/// Returns the stored texts of role names.
pub fn role_texts(names: &RoleNames) -> Vec<&str> {
    names.iter().map(RoleName::as_str).collect()
}

/// Returns the stored texts of permissions.
pub fn permission_texts(permissions: &Permissions) -> Vec<&str> {
    permissions.iter().map(Permission::as_str).collect()
}
