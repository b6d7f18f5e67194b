use crate::{
    SqliteStorage,
    changes::{EventWriter, import},
    tables::{roles, user_pages},
};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    ports::{PortError, UserDirectory},
    user::{Credentials, User, UserFilter, UserPage},
};

#[async_trait]
impl UserDirectory for SqliteStorage {
    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database.read(roles::any_admin).await
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        self.database
            .read(move |conn| user_pages::list(conn, &filter, &page))
            .await
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        self.database
            .read(move |conn| user_pages::export(conn, &page))
            .await
    }

    async fn import(
        &self,
        users: ImportUsers,
        context: AuditContext,
    ) -> Result<Vec<Result<User, Refusal>>, PortError> {
        let events = EventWriter::new(context, &self.sealer);
        self.database
            .write_alone(move |conn| import(conn, &users, &events))
            .await
    }
}
