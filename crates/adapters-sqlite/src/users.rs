use crate::{SqliteDatabase, error::StorageError};
use async_trait::async_trait;
use diesel::SqliteConnection;
use domain::{
    audit::AuditContext,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        Administer, Administered, AuditSealer, ChangePassword, ChangeRoles, Inserted, PasswordChanged,
        PortError, RolesChanged, Users,
    },
    user::{Credentials, ImportedUser, NewUser, User, UserFilter, UserId, UserPage, UserStatus},
};
use std::sync::Arc;

mod administer;
mod changes;
mod import;
mod pages;
mod rows;

pub use changes::any_admin;
pub use pages::find_by_login;
#[cfg(test)]
pub use pages::{export, find, list};
pub use rows::{UserRow, parse_status};

/// Users in SQLite.
pub struct SqliteUsers {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteUsers {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    async fn write<R, W>(&self, work: W) -> Result<R, PortError>
    where
        R: Send + 'static,
        W: FnOnce(&mut SqliteConnection, &dyn AuditSealer) -> Result<R, StorageError> + Send + 'static,
    {
        let sealer = Arc::clone(&self.sealer);
        self.database.write(move |conn| work(conn, &*sealer)).await
    }
}

#[async_trait]
impl Users for SqliteUsers {
    async fn insert(&self, user: NewUser, context: AuditContext) -> Result<Inserted, PortError> {
        self.write(move |conn, sealer| changes::insert(conn, sealer, &user, &context))
            .await
    }

    async fn import(
        &self,
        users: Vec<ImportedUser>,
        context: AuditContext,
    ) -> Result<Vec<Inserted>, PortError> {
        self.write(move |conn, sealer| import::import(conn, sealer, users, &context))
            .await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.database.read(move |conn| pages::find(conn, id)).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let login = login.clone();
        self.database.read(move |conn| find_by_login(conn, &login)).await
    }

    async fn change_roles(
        &self,
        change: ChangeRoles,
        context: AuditContext,
    ) -> Result<RolesChanged, PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write_or_dry_run(change.dry_run, move |conn| {
                changes::change_roles(conn, &*sealer, change, &context)
            })
            .await
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        context: AuditContext,
    ) -> Result<PasswordChanged, PortError> {
        self.write(move |conn, sealer| changes::change_password(conn, sealer, &change, &context))
            .await
    }

    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        self.write(move |conn, sealer| administer::reset_password(conn, sealer, whom, &hash, &context))
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
            .write(move |conn| changes::replace_hash(conn, user, &old, &new))
            .await
    }

    async fn set_status(
        &self,
        whom: Administer,
        status: UserStatus,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        self.write(move |conn, sealer| administer::set_status(conn, sealer, whom, status, &context))
            .await
    }

    async fn delete(&self, whom: Administer, context: AuditContext) -> Result<Administered, PortError> {
        self.write(move |conn, sealer| administer::delete(conn, sealer, whom, &context))
            .await
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database.read(any_admin).await
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        self.database
            .read(move |conn| pages::list(conn, &filter, &page))
            .await
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        self.database.read(move |conn| pages::export(conn, &page)).await
    }
}
