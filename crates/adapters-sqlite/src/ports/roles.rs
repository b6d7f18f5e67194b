use crate::{
    SqliteStorage,
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
impl Roles for SqliteStorage {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let names = names.clone();
        self.database.read(move |conn| roles::find(conn, &names)).await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.database.read(roles::list).await
    }

    async fn execute(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let events = EventWriter::new(context, &self.sealer);
        let executed = self
            .database
            .write(move |conn| catalogue::execute(conn, &*command, &events))
            .await?;
        Ok(executed?)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn CatalogueCommand>,
        context: AuditContext,
    ) -> Result<CatalogueChange, ChangeError> {
        let decided = self
            .database
            .read_snapshot(move |conn| catalogue::dry_run(conn, &*command, context.at))
            .await?;
        Ok(decided?)
    }
}
