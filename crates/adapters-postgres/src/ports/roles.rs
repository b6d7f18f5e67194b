use crate::{
    PostgresStorage,
    changes::{EventWriter, catalogue},
    tables::roles,
};
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
        let input = (command, EventWriter::new(context, &self.sealer, &self.written));
        self.database
            .write_unless_refused(input, |conn, (command, events)| {
                Box::pin(catalogue::execute(conn, &**command, events))
            })
            .await
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
