use crate::{SqliteDatabase, columns::Id, error::StorageError, schema::users};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, OptionalExtension, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection,
};
use domain::{
    audit::Stamp,
    login::CanonicalLogin,
    password::PasswordHash,
    ports::{
        ChangePassword, ChangeRoles, Inserted, PasswordChanged, PortError, RolesChanged, StatusChanged, Users,
    },
    user::{Credentials, NewUser, User, UserId, UserStatus},
};

mod changes;
mod rows;

pub use changes::any_admin;
use rows::CredentialsRow;
pub use rows::{UserRow, parse_status};

/// Users in SQLite.
pub struct SqliteUsers {
    database: SqliteDatabase,
}

impl SqliteUsers {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl Users for SqliteUsers {
    async fn insert(&self, user: NewUser, stamp: Stamp) -> Result<Inserted, PortError> {
        self.database
            .write(move |conn| changes::insert(conn, &user, &stamp))
            .await
    }

    async fn find_by_login(&self, login: &CanonicalLogin) -> Result<Option<Credentials>, PortError> {
        let login = login.clone();
        self.database.read(move |conn| find_by_login(conn, &login)).await
    }

    async fn change_roles(&self, change: ChangeRoles, stamp: Stamp) -> Result<RolesChanged, PortError> {
        self.database
            .write(move |conn| changes::change_roles(conn, change, &stamp))
            .await
    }

    async fn change_password(
        &self,
        change: ChangePassword,
        stamp: Stamp,
    ) -> Result<PasswordChanged, PortError> {
        self.database
            .write(move |conn| changes::change_password(conn, &change, &stamp))
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
        user: UserId,
        status: UserStatus,
        stamp: Stamp,
    ) -> Result<StatusChanged, PortError> {
        self.database
            .write(move |conn| changes::set_status(conn, user, status, &stamp))
            .await
    }

    async fn any_admin(&self) -> Result<bool, PortError> {
        self.database.read(any_admin).await
    }

    async fn list(&self, after: Option<CanonicalLogin>, limit: u32) -> Result<Vec<User>, PortError> {
        let after = after.map_or_else(String::new, |login| login.to_string());
        self.database.read(move |conn| list(conn, &after, limit)).await
    }
}

fn find(conn: &mut SqliteConnection, id: UserId) -> Result<Option<User>, StorageError> {
    users::table
        .find(Id(id.0))
        .select(UserRow::as_select())
        .first(conn)
        .optional()?
        .map(User::try_from)
        .transpose()
}

pub fn find_by_login(
    conn: &mut SqliteConnection,
    login: &CanonicalLogin,
) -> Result<Option<Credentials>, StorageError> {
    users::table
        .filter(users::canonical_login.eq(login.as_str()))
        .select(CredentialsRow::as_select())
        .first(conn)
        .optional()?
        .map(Credentials::try_from)
        .transpose()
}

/// `after` is empty for the first page: no login sorts before the empty text.
pub fn list(conn: &mut SqliteConnection, after: &str, limit: u32) -> Result<Vec<User>, StorageError> {
    users::table
        .filter(users::canonical_login.gt(after))
        .order(users::canonical_login)
        .limit(limit.into())
        .select(UserRow::as_select())
        .load(conn)?
        .into_iter()
        .map(User::try_from)
        .collect()
}
