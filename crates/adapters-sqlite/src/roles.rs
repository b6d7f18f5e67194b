use crate::{
    SqliteDatabase,
    columns::Id,
    error::StorageError,
    schema::{roles, user_roles},
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    sqlite::Sqlite,
};
use domain::{
    audit::AuditContext,
    ports::{AuditSealer, PortError, PutRole, RemoveRole, RolePut, RoleRemoved, Roles},
    revision::Revision,
    role::{Description, Role, RoleName, RoleNames},
    user::UserId,
};
use std::sync::Arc;

mod catalogue;
mod permissions;

#[cfg(test)]
pub use catalogue::holders;
use permissions::permissions_of_role;
pub use permissions::{parse_permissions, parse_roles, permissions_of_user, roles_of_user};

/// The catalogue of roles in SQLite.
pub struct SqliteRoles {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteRoles {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl Roles for SqliteRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        let names = names.clone();
        self.database.read(move |conn| find(conn, &names)).await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.database.read(catalogue::list).await
    }

    async fn put(&self, put: PutRole, context: AuditContext) -> Result<RolePut, PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write_or_dry_run(put.dry_run, move |conn| {
                catalogue::put(conn, &*sealer, put, &context)
            })
            .await
    }

    async fn remove(&self, remove: RemoveRole, context: AuditContext) -> Result<RoleRemoved, PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write_or_dry_run(remove.dry_run, move |conn| {
                catalogue::remove(conn, &*sealer, &remove, &context)
            })
            .await
    }
}

/// Those of `names` that are in the catalogue.
pub fn find(conn: &mut SqliteConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    roles::table
        .filter(roles::name.eq_any(names.iter().map(RoleName::as_str)))
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)?
        .into_iter()
        .map(Role::try_from)
        .collect()
}

/// Makes `names` the roles of `user`, and no others.
pub fn give(conn: &mut SqliteConnection, user: UserId, names: &RoleNames) -> Result<(), StorageError> {
    diesel::delete(user_roles::table.filter(user_roles::user_id.eq(Id(user.0)))).execute(conn)?;
    give_first(conn, user, names)
}

/// [`give`] for somebody who has no roles yet.
pub fn give_first(conn: &mut SqliteConnection, user: UserId, names: &RoleNames) -> Result<(), StorageError> {
    for name in names {
        diesel::insert_into(user_roles::table)
            .values((
                user_roles::user_id.eq(Id(user.0)),
                user_roles::role.eq(name.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// `names` as events tell of them.
pub fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(" ")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = roles, check_for_backend(Sqlite))]
struct RoleRow {
    name: String,
    description: String,
    self_assignable: bool,
    revision: i64,
    #[diesel(select_expression = permissions_of_role())]
    permissions: Option<String>,
}

impl TryFrom<RoleRow> for Role {
    type Error = StorageError;

    fn try_from(row: RoleRow) -> Result<Self, Self::Error> {
        Ok(Self {
            name: RoleName::parse(&row.name).map_err(|error| StorageError::row("roles", error))?,
            description: Description::parse(&row.description)
                .map_err(|error| StorageError::row("roles", error))?,
            permissions: parse_permissions(row.permissions.as_deref())?,
            self_assignable: row.self_assignable,
            revision: Revision(row.revision),
        })
    }
}
