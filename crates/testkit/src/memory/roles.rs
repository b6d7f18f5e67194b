use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    ports::{PortError, Roles},
    role::{Role, RoleNames},
};

#[async_trait]
impl Roles for MemoryStorage {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let state = self.transaction()?;
        Ok(names
            .iter()
            .filter_map(|name| state.roles.get(name).cloned())
            .collect())
    }
}
