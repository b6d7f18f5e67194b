use crate::{
    PostgresStorage, changes,
    tables::{login_facts, users},
};
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    changes::{Applied, ChangeError, Command, DirectChange},
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{Accounts, LoginFacts, PlaceQuery, PortError},
    user::{Credentials, User, UserId},
};
use std::sync::Arc;

#[async_trait]
impl Accounts for PostgresStorage {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.database
            .read(id, |conn, id| Box::pin(users::find(conn, *id)))
            .await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.database
            .read(login.clone(), |conn, login| {
                Box::pin(users::find_by_login(conn, login))
            })
            .await
    }

    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError> {
        self.database
            .read((login.clone(), places), |conn, (login, places)| {
                Box::pin(login_facts::find(conn, login, *places))
            })
            .await
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        self.database
            .write_at_once((user, old.clone(), new.clone()), |conn, (user, old, new)| {
                Box::pin(users::replace_hash(conn, *user, old, new))
            })
            .await
    }

    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        if let Some(change) = command.direct(context.at)
            && let Some(applied) = self.execute_directly(change, &context).await?
        {
            return Ok(applied);
        }
        let events = self.events(context);
        let applied = self
            .database
            .write_unless_refused((command, events.clone()), |conn, (command, events)| {
                Box::pin(changes::execute(conn, &**command, events))
            })
            .await?;
        events.committed();
        Ok(applied)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        self.database
            .dry_run((command, context.at), |conn, (command, at)| {
                Box::pin(changes::dry_run(conn, &**command, *at))
            })
            .await
    }
}

impl PostgresStorage {
    /// Makes `change` in one round trip. Returns `None` if the rows are not as it expects.
    async fn execute_directly(
        &self,
        change: DirectChange,
        context: &AuditContext,
    ) -> Result<Option<Applied>, PortError> {
        let events = self.events(context.clone());
        let applied = self
            .database
            .write_at_once((change, events.clone()), |conn, (change, events)| {
                Box::pin(changes::execute_directly(conn, change, events))
            })
            .await?;
        events.committed();
        Ok(applied)
    }
}
