use crate::{
    PostgresStorage,
    changes::import,
    tables::{user_pages, user_roles},
};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    ports::{PortError, UserDirectory},
    user::{Credentials, User, UserFilter, UserPage},
};

#[async_trait]
impl UserDirectory for PostgresStorage {
    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(user_roles::any_admin(conn)))
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
        let events = self.events(context);
        let results = self
            .database
            .write((users, events.clone()), |conn, (users, events)| {
                Box::pin(import(conn, users, events))
            })
            .await?;
        events.committed();
        Ok(results)
    }
}
