use crate::{
    changes::{EventWriter, import},
    database::PostgresDatabase,
    tables::{admins, user_pages},
};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    ports::{AuditSealer, PortError, UserDirectory},
    user::{Credentials, User, UserFilter, UserPage},
};
use std::sync::Arc;

/// Users in bulk in Postgres.
pub struct PostgresUserDirectory {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresUserDirectory {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl UserDirectory for PostgresUserDirectory {
    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(admins::exists_any(conn)))
            .await
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        self.database
            .read((filter, page), |conn, (filter, page)| {
                Box::pin(user_pages::list(conn, filter, page))
            })
            .await
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        self.database
            .read(page, |conn, page| Box::pin(user_pages::export(conn, page)))
            .await
    }

    async fn import(
        &self,
        users: ImportUsers,
        context: AuditContext,
    ) -> Result<Vec<Result<User, Refusal>>, PortError> {
        let input = (users, EventWriter::new(context, &self.sealer));
        self.database
            .write(input, |conn, (users, events)| {
                Box::pin(import(conn, users, events))
            })
            .await
    }
}
