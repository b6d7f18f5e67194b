use crate::{
    PostgresDatabase,
    audit::Journal,
    error::StorageError,
    schema::{roles, user_roles},
};
use async_trait::async_trait;
use diesel::{
    ExpressionMethods, IntoSql, QueryDsl, Queryable, Selectable, SelectableHelper, pg::Pg, sql_types::Uuid,
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::AuditContext,
    ports::{AuditSealer, PortError, PutRole, RemoveRole, RolePut, RoleRemoved, Roles},
    revision::Revision,
    role::{Description, Role, RoleName, RoleNames},
    user::UserId,
};
use std::sync::Arc;

pub mod catalogue;
mod permissions;

use permissions::permissions_of_role;
pub use permissions::{parse_permissions, parse_roles, permissions_of_user, roles_of_holder, roles_of_user};

/// The catalogue of roles in Postgres.
pub struct PostgresRoles {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl PostgresRoles {
    #[must_use]
    pub fn new(database: PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }

    fn journal(&self, context: AuditContext) -> Journal {
        Journal::new(context, &self.sealer)
    }
}

#[async_trait]
impl Roles for PostgresRoles {
    async fn find(&self, names: &RoleNames) -> Result<Vec<Role>, PortError> {
        self.database
            .read(names.clone(), |conn, names| Box::pin(find(conn, names)))
            .await
    }

    async fn list(&self) -> Result<Vec<Role>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(catalogue::list(conn)))
            .await
    }

    async fn put(&self, put: PutRole, context: AuditContext) -> Result<RolePut, PortError> {
        self.database
            .write_or_dry_run(
                put.dry_run,
                (put, self.journal(context)),
                |conn, (put, journal)| Box::pin(catalogue::put(conn, put, journal)),
            )
            .await
    }

    async fn remove(&self, remove: RemoveRole, context: AuditContext) -> Result<RoleRemoved, PortError> {
        self.database
            .write_or_dry_run(
                remove.dry_run,
                (remove, self.journal(context)),
                |conn, (remove, journal)| Box::pin(catalogue::remove(conn, remove, journal)),
            )
            .await
    }
}

pub async fn find(conn: &mut AsyncPgConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    let rows: Vec<RoleRow> = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Role::try_from).collect()
}

/// Those of `names` that are in the catalogue. They stay there until the transaction ends.
pub async fn known(conn: &mut AsyncPgConnection, names: &RoleNames) -> Result<RoleNames, StorageError> {
    let known: Vec<String> = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .select(roles::name)
        .for_key_share()
        .load(conn)
        .await?;
    parse_roles(Some(known))
}

/// Makes `names` the roles of `user`, and no others.
pub async fn give(conn: &mut AsyncPgConnection, user: UserId, names: &RoleNames) -> Result<(), StorageError> {
    let dropped = user_roles::table
        .filter(user_roles::user_id.eq(user.0))
        .filter(user_roles::role.ne_all(texts(names)));
    diesel::delete(dropped).execute(conn).await?;
    // Selected from the catalogue, so that one statement, always the same, serves any number of roles.
    let wanted = roles::table
        .filter(roles::name.eq_any(texts(names)))
        .select((user.0.into_sql::<Uuid>(), roles::name));
    diesel::insert_into(user_roles::table)
        .values(wanted)
        .into_columns((user_roles::user_id, user_roles::role))
        .on_conflict_do_nothing()
        .execute(conn)
        .await?;
    Ok(())
}

fn texts(names: &RoleNames) -> Vec<&str> {
    names.iter().map(RoleName::as_str).collect()
}

/// `names` as events tell them.
pub fn told(names: &RoleNames) -> String {
    texts(names).join(" ")
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = roles, check_for_backend(Pg))]
struct RoleRow {
    name: String,
    description: String,
    self_assignable: bool,
    revision: i64,
    #[diesel(select_expression = permissions_of_role())]
    permissions: Option<Vec<String>>,
}

impl TryFrom<RoleRow> for Role {
    type Error = StorageError;

    fn try_from(row: RoleRow) -> Result<Self, Self::Error> {
        Ok(Self {
            name: RoleName::try_from(row.name).map_err(|error| StorageError::row("roles", error))?,
            description: Description::parse(&row.description)
                .map_err(|error| StorageError::row("roles", error))?,
            permissions: parse_permissions(row.permissions)?,
            self_assignable: row.self_assignable,
            revision: Revision(row.revision),
        })
    }
}
