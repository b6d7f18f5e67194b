use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{Applied, ChangeError, Command},
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{Accounts, LoginFacts, PlaceQuery, PortError},
    user::{Credentials, User, UserId},
};
use std::sync::Arc;

#[async_trait]
impl Accounts for MemoryStorage {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        Ok(self.transaction()?.user(id).cloned())
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let tables = self.transaction()?;
        let mut users = tables.users.values();
        Ok(users.find(|kept| kept.user.login.canonical() == login).cloned())
    }

    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError> {
        let tables = self.transaction()?;
        let mut users = tables.users.values();
        let credentials = users.find(|kept| kept.user.login.canonical() == login).cloned();
        Ok(credentials.map(|credentials| tables.login_facts(credentials, places)))
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        let mut tables = self.transaction()?;
        let Some(kept) = tables.users.get_mut(&user).filter(|kept| kept.hash == *old) else {
            return Ok(false);
        };
        kept.hash = new.clone();
        Ok(true)
    }

    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let mut tables = self.transaction()?;
        let facts = tables.load(&command.reads(), context.at);
        let change = command.decide(&facts, context.at)?;
        Ok(tables.apply(change, &context))
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let mut tables = self.transaction()?;
        let facts = tables.load(&command.reads(), context.at);
        let change = command.decide(&facts, context.at)?;
        let sessions_ended = tables.ending(&change);
        Ok(Applied {
            change,
            sessions_ended,
        })
    }
}
