use crate::{
    ports::{PortError, Roles},
    role::Role,
};
use std::sync::Arc;

/// Shows the catalogue of roles, to any user.
pub struct ListRoles {
    roles: Arc<dyn Roles>,
}

impl ListRoles {
    pub fn new(roles: Arc<dyn Roles>) -> Self {
        Self { roles }
    }

    /// All roles, in the order of their names.
    ///
    /// # Errors
    /// The port's.
    pub async fn execute(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }
}
