use crate::{PostgresDatabase, audit::Journal, error::StorageError, schema::users};
use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
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
use uuid::Uuid;

pub mod administer;
pub mod changes;
mod import;
mod pages;
mod rows;

pub use changes::{any_admin, is_active_admin, is_last_admin, replace_hash};
pub use import::import;
pub use pages::{export, list};
use rows::CredentialsRow;
pub use rows::{UserRow, parse_status};

/// Users in Postgres.
pub struct PostgresUsers {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresUsers {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    fn journal(&self, context: AuditContext) -> Journal {
        Journal::new(context, &self.sealer)
    }
}

#[async_trait]
impl Users for PostgresUsers {
    async fn insert(&self, user: NewUser, context: AuditContext) -> Result<Inserted, PortError> {
        self.database
            .write((user, self.journal(context)), |conn, (user, journal)| {
                Box::pin(changes::insert(conn, user, journal))
            })
            .await
    }

    async fn import(
        &self,
        users: Vec<ImportedUser>,
        context: AuditContext,
    ) -> Result<Vec<Inserted>, PortError> {
        self.database
            .write((users, self.journal(context)), |conn, (users, journal)| {
                Box::pin(import(conn, users, journal))
            })
            .await
    }

    async fn find(&self, id: UserId) -> Result<Option<User>, PortError> {
        self.database.read(id, |conn, id| Box::pin(find(conn, *id))).await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.database
            .read(login.clone(), |conn, login| Box::pin(find_by_login(conn, login)))
            .await
    }

    async fn change_roles(
        &self,
        change: ChangeRoles,
        context: AuditContext,
    ) -> Result<RolesChanged, PortError> {
        self.database
            .write_or_dry_run(
                change.dry_run,
                (change, self.journal(context)),
                |conn, (change, journal)| Box::pin(changes::change_roles(conn, change, journal)),
            )
            .await
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        context: AuditContext,
    ) -> Result<PasswordChanged, PortError> {
        self.database
            .write((change, self.journal(context)), |conn, (change, journal)| {
                Box::pin(changes::change_password(conn, change, journal))
            })
            .await
    }

    async fn reset_password(
        &self,
        whom: Administer,
        hash: PasswordHash,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        self.database
            .write(
                (whom, hash, self.journal(context)),
                |conn, (whom, hash, journal)| Box::pin(administer::reset_password(conn, whom, hash, journal)),
            )
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
                Box::pin(replace_hash(conn, *user, old, new))
            })
            .await
    }

    async fn set_status(
        &self,
        whom: Administer,
        status: UserStatus,
        context: AuditContext,
    ) -> Result<Administered, PortError> {
        self.database
            .write(
                (whom, status, self.journal(context)),
                |conn, (whom, status, journal)| {
                    Box::pin(administer::set_status(conn, whom, *status, journal))
                },
            )
            .await
    }

    async fn delete(&self, whom: Administer, context: AuditContext) -> Result<Administered, PortError> {
        self.database
            .write((whom, self.journal(context)), |conn, (whom, journal)| {
                Box::pin(administer::delete(conn, whom, journal))
            })
            .await
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database.read((), |conn, ()| Box::pin(any_admin(conn))).await
    }

    async fn list(&self, filter: UserFilter, page: UserPage) -> Result<Vec<User>, PortError> {
        self.database
            .read((filter, page), |conn, (filter, page)| {
                Box::pin(list(conn, filter, page))
            })
            .await
    }

    async fn export(&self, page: UserPage) -> Result<Vec<Credentials>, PortError> {
        self.database
            .read(page, |conn, page| Box::pin(export(conn, page)))
            .await
    }
}

/// Holds everybody off who would change these users or their sessions, until the transaction ends; those
/// that there are.
///
/// In the order of their ids, so that two who need the same two users do not wait for each other. Nothing is read along
/// with the lock: a statement that had to wait for it would see the row as it is then and everything else, the roles
/// among it, as it was before.
pub async fn lock(
    conn: &mut AsyncPgConnection,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<Vec<UserId>, StorageError> {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    let locked: Vec<Uuid> = users::table
        .filter(users::id.eq_any(ids))
        .order(users::id)
        .select(users::id)
        .for_update()
        .load(conn)
        .await?;
    Ok(locked.into_iter().map(UserId).collect())
}

pub async fn find(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, StorageError> {
    let row: Option<UserRow> = users::table
        .find(id.0)
        .select(UserRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(User::try_from).transpose()
}

pub async fn find_by_login(
    conn: &mut AsyncPgConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    let row: Option<CredentialsRow> = users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select())
        .first(conn)
        .await
        .optional()?;
    row.map(Credentials::try_from).transpose()
}
