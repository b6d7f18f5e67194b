use crate::{PostgresStorage, changes::catalogue, tables::roles};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{CatalogueChange, CatalogueCommand, ChangeError},
    ports::{PortError, Roles},
    role::{Role, RoleNames},
};
use std::sync::Arc;

#[async_trait]
impl Roles for PostgresStorage {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.database
            .read(names.clone(), |conn, names| Box::pin(roles::find(conn, names)))
            .await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(roles::list(conn)))
            .await
    }

    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let events = self.events(context);
        let change = self
            .database
            .write_unless_refused((command, events.clone()), |conn, (command, events)| {
                Box::pin(catalogue::execute(conn, &**command, events))
            })
            .await?;
        events.committed();
        Ok(change)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        self.database
            .dry_run((command, context.at), |conn, (command, at)| {
                Box::pin(catalogue::dry_run(conn, &**command, *at))
            })
            .await
    }
}
