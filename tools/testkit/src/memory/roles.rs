use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{CatalogueChange, CatalogueCommand, ChangeError},
    ports::{PortError, Roles},
    role::{Role, RoleNames},
};
use std::sync::Arc;

#[async_trait]
impl Roles for MemoryStorage {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let tables = self.transaction()?;
        let found = names.iter().filter_map(|name| tables.roles.get(name));
        Ok(found.cloned().collect())
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        Ok(self.transaction()?.roles.values().cloned().collect())
    }

    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let mut tables = self.transaction()?;
        let facts = tables.load_catalogue(&command.reads());
        let change = command.decide(&facts, context.at)?;
        tables.apply_catalogue(&change, &context);
        Ok(change)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let tables = self.transaction()?;
        Ok(command.decide(&tables.load_catalogue(&command.reads()), context.at)?)
    }
}
