use crate::{
    ports::{PortError, Roles},
    role::Role,
};
use std::sync::Arc;

/// Shows the catalogue of roles, to any user.
pub struct ListRoles {
    pub(crate) roles: Arc<dyn Roles>,
}

impl ListRoles {
    /// All roles, in the order of their names.
    ///
    /// # Errors
    /// The port's.
    pub async fn execute(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }
}
