use domain::role::{Permission, Role};
use serde::Serialize;
use utoipa::ToSchema;

/// A role.
#[derive(Serialize, ToSchema)]
#[schema(as = Role)]
pub struct RoleResponse {
    #[schema(example = "editor")]
    name: String,
    #[schema(example = "Edits articles.")]
    description: String,
    /// Permissions of the role.
    #[schema(example = json!(["articles:write"]))]
    permissions: Vec<String>,
    /// Whether users may assign the role to themselves.
    self_assignable: bool,
}

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
