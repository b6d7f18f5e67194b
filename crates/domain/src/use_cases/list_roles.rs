use crate::{
    ports::{PortError, Roles},
    role::Role,
};
use std::sync::Arc;

/// Lists the role catalogue, to any user.
pub struct ListRoles {
    pub(crate) roles: Arc<dyn Roles>,
}

impl ListRoles {
    /// Returns all roles, ordered by name.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn execute(&self) -> Result<Vec<Role>, PortError> {
        self.roles.list().await
    }
}
