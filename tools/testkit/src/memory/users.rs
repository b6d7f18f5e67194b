use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{ImportUsers, Refusal},
    ports::{PortError, UserDirectory},
    user::{Credentials, User, UserFilter, UserPage},
};

#[async_trait]
impl UserDirectory for MemoryStorage {
    async fn any_admin(&self) -> Result<bool, PortError> {
        Ok(self.transaction()?.active_admins().next().is_some())
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        let users = self.transaction()?.page(&filter, &page);
        Ok(users.into_iter().map(|kept| kept.user).collect())
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        Ok(self.transaction()?.page(&UserFilter::default(), &page))
    }

    async fn import(
        &self,
        users: ImportUsers,
        context: AuditContext,
    ) -> Result<Vec<Result<User, Refusal>>, PortError> {
        Ok(self.transaction()?.import(&users, &context))
    }
}
