use crate::{
    changes::{EventWriter, catalogue},
    database::PostgresDatabase,
    tables::roles,
};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{CatalogueChange, CatalogueCommand, ChangeError},
    ports::{AuditSealer, PortError, Roles},
    role::{Role, RoleNames},
};
use std::sync::Arc;

/// The catalogue of roles in Postgres.
pub struct PostgresRoles {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresRoles {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl Roles for PostgresRoles {
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
        let input = (command, EventWriter::new(context, &self.sealer));
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
