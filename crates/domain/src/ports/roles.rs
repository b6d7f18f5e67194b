use super::PortError;
use crate::role::{Role, RoleNames};
use async_trait::async_trait;

/// The catalogue of roles. [Built-in roles](crate::role::built_in) MUST be there from the first start on.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait Roles: Send + Sync {
    /// Those of `names` that exist; names that do not MUST be left out.
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError>;
}
