use crate::{PostgresDatabase, error::StorageError, schema::users};
use async_trait::async_trait;
use diesel::{ExpressionMethods, OptionalExtension, QueryDsl, SelectableHelper};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::Stamp,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        ChangePassword, ChangeRoles, Inserted, PasswordChanged, PortError, RolesChanged, StatusChanged, Users,
    },
    user::{Credentials, NewUser, User, UserId, UserStatus},
};
use uuid::Uuid;

pub mod changes;
mod rows;

pub use changes::{any_admin, replace_hash};
use rows::CredentialsRow;
pub use rows::{UserRow, parse_status};

/// Users in Postgres.
pub struct PostgresUsers {
    database: PostgresDatabase,
}

impl PostgresUsers {
    #[must_use]
    pub fn new(database: PostgresDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Users for PostgresUsers {
    async fn insert(&self, user: NewUser, stamp: Stamp) -> Result<Inserted, PortError> {
        self.database
            .write((user, stamp), |conn, (user, stamp)| {
                Box::pin(changes::insert(conn, user, stamp))
            })
            .await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        self.database
            .read(login.clone(), |conn, login| Box::pin(find_by_login(conn, login)))
            .await
    }

    async fn change_roles(&self, change: ChangeRoles, stamp: Stamp) -> Result<RolesChanged, PortError> {
        self.database
            .write((change, stamp), |conn, (change, stamp)| {
                Box::pin(changes::change_roles(conn, change, stamp))
            })
            .await
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        stamp: Stamp,
    ) -> Result<PasswordChanged, PortError> {
        self.database
            .write((change, stamp), |conn, (change, stamp)| {
                Box::pin(changes::change_password(conn, change, stamp))
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
                Box::pin(replace_hash(conn, *user, old, new))
            })
            .await
    }

    async fn set_status(
        &self,
        user: UserId,
        status: UserStatus,
        stamp: Stamp,
    ) -> Result<StatusChanged, PortError> {
        self.database
            .write((user, status, stamp), |conn, (user, status, stamp)| {
                Box::pin(changes::set_status(conn, *user, *status, stamp))
            })
            .await
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database.read((), |conn, ()| Box::pin(any_admin(conn))).await
    }

    async fn list(&self, after: Option<CanonicalLogin>, limit: u32) -> Result<Vec<User>, PortError> {
        let after = after.map_or_else(String::new, |login| login.to_string());
        self.database
            .read((after, limit), |conn, (after, limit)| {
                Box::pin(list(conn, after, *limit))
            })
            .await
    }
}

/// Holds everybody off who would change these users or their sessions, until the transaction ends; whether there are any.
///
/// In the order of their ids, so that two who need the same two users do not wait for each other. Nothing is read along
/// with the lock: a statement that had to wait for it would see the row as it is then and everything else, the roles
/// among it, as it was before.
pub async fn lock(
    conn: &mut AsyncPgConnection,
    ids: impl IntoIterator<Item = UserId>,
) -> Result<bool, StorageError> {
    let ids: Vec<Uuid> = ids.into_iter().map(|id| id.0).collect();
    let locked: Vec<Uuid> = users::table
        .filter(users::id.eq_any(ids))
        .order(users::id)
        .select(users::id)
        .for_update()
        .load(conn)
        .await?;
    Ok(!locked.is_empty())
}

async fn find(conn: &mut AsyncPgConnection, id: UserId) -> Result<Option<User>, StorageError> {
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

/// `after` is empty for the first page: no login sorts before the empty text.
pub async fn list(conn: &mut AsyncPgConnection, after: &str, limit: u32) -> Result<Vec<User>, StorageError> {
    let rows: Vec<UserRow> = users::table
        .filter(users::canonical_login.gt(after))
        .order(users::canonical_login)
        .limit(limit.into())
        .select(UserRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(User::try_from).collect()
}
