use crate::{
    SqliteStorage,
    changes::{self, EventWriter},
    tables::{login_facts, users},
};
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
impl Accounts for SqliteStorage {
    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.database.read(move |conn| users::find(conn, id)).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let login = login.clone();
        self.database
            .read(move |conn| users::find_by_login(conn, &login))
            .await
    }

    async fn find_for_login(
        &self,
        login: &CanonicalLogin,
        places: PlaceQuery,
    ) -> Result<Option<LoginFacts>, PortError> {
        let login = login.clone();
        self.database
            .read(move |conn| login_facts::find(conn, &login, places))
            .await
    }

    async fn replace_hash(
        &self,
        user: UserId,
        old: &PasswordHash,
        new: &PasswordHash,
    ) -> Result<bool, PortError> {
        let (old, new) = (old.clone(), new.clone());
        self.database
            .write(move |conn| users::replace_hash(conn, user, &old, &new))
            .await
    }

    async fn execute(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let events = EventWriter::new(context, &self.sealer);
        let executed = self
            .database
            .write(move |conn| changes::execute(conn, &*command, &events))
            .await?;
        Ok(executed?)
    }

    async fn dry_run(
        &self,
        command: Arc<dyn Command>,
        context: AuditContext,
    ) -> Result<Applied, ChangeError> {
        let decided = self
            .database
            .read_snapshot(move |conn| changes::dry_run(conn, &*command, context.at))
            .await?;
        Ok(decided?)
    }
}
