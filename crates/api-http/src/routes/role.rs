use domain::role::{Permission, Role};
use serde::Serialize;
use utoipa::ToSchema;

/// A role.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub struct RoleResponse {
    /// 1 to 64 of `a-z`, `0-9`, `_` and `-`, starting with a letter.
    #[schema(example = "editor")]
    name: String,
    /// Purpose of the role.
    #[schema(example = "Edits articles.")]
    description: String,
    /// Permissions of the role.
    #[schema(value_type = Vec<PermissionText>, example = json!(["articles:write"]))]
    permissions: Vec<String>,
    /// Whether users may assign the role to themselves.
    #[schema(example = false)]
    self_assignable: bool,
}

/// A permission: `subject:verb`, each of `a-z`, `0-9`, `_` and `-`, starting with a letter.
#[derive(ToSchema)]
#[schema(as = Permission, value_type = String, max_length = 64, pattern = "^[a-z][a-z0-9_-]*:[a-z][a-z0-9_-]*$", example = "articles:write")]
#[expect(dead_code, reason = "describes the text in `Permission` to utoipa")]
pub struct PermissionText(String);

impl From<Role> for RoleResponse {
    fn from(role: Role) -> Self {
        Self {
            name: role.name.into(),
            description: role.description.as_str().to_owned(),
            permissions: role.permissions.into_iter().map(Permission::into).collect(),
            self_assignable: role.self_assignable,
        }
    }
}
