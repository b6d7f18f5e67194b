//! The catalogue of roles, and the roles of users.

use super::{
    permissions::{parse_permissions, permissions_of_role},
    rows::parse_all,
};
use crate::{
    columns::Id,
    error::StorageError,
    schema::{role_permissions, roles, user_roles, users},
};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, RunQueryDsl, Selectable, SelectableHelper, SqliteConnection,
    dsl::{auto_type, exists, select},
    sqlite::Sqlite,
};
use domain::{
    revision::Revision,
    role::{Description, Permissions, Role, RoleName, RoleNames},
    user::UserId,
};

/// Returns those of `names` that are in the catalogue, in the order of their names.
pub fn find(conn: &mut SqliteConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let roles = roles::table
        .filter(roles::name.eq_any(names.iter().map(RoleName::as_str)))
        .order(roles::name)
        .select(RoleRow::as_select());
    parse_all(roles.load(conn))
}

/// Returns the whole catalogue, in the order of the names.
pub fn list(conn: &mut SqliteConnection) -> Result<Vec<Role>, StorageError> {
    let roles = roles::table.order(roles::name).select(RoleRow::as_select());
    parse_all(roles.load(conn))
}

/// Reads one row of a table that is never empty, to check that the file can be read.
pub fn probe(conn: &mut SqliteConnection) -> Result<(), StorageError> {
    roles::table.select(roles::name).limit(1).load::<String>(conn)?;
    Ok(())
}

/// Counts the users who have the role `name`.
pub fn holders(conn: &mut SqliteConnection, name: &RoleName) -> Result<u64, StorageError> {
    let holders: i64 = user_roles::table
        .filter(user_roles::role.eq(name.as_str()))
        .count()
        .get_result(conn)?;
    Ok(holders.unsigned_abs())
}

/// Stores `role` with its permissions, in place of one of the same name.
pub fn store(conn: &mut SqliteConnection, role: &Role) -> Result<(), StorageError> {
    let properties = (
        roles::description.eq(role.description.as_str()),
        roles::self_assignable.eq(role.self_assignable),
        roles::revision.eq(role.revision.0),
    );
    diesel::insert_into(roles::table)
        .values((roles::name.eq(role.name.as_str()), properties))
        .on_conflict(roles::name)
        .do_update()
        .set(properties)
        .execute(conn)?;
    set_permissions(conn, &role.name, &role.permissions)
}

/// Replaces the permissions of the role `name`.
fn set_permissions(
    conn: &mut SqliteConnection,
    name: &RoleName,
    permissions: &Permissions,
) -> Result<(), StorageError> {
    diesel::delete(role_permissions::table.filter(role_permissions::role.eq(name.as_str()))).execute(conn)?;
    for permission in permissions {
        diesel::insert_into(role_permissions::table)
            .values((
                role_permissions::role.eq(name.as_str()),
                role_permissions::permission.eq(permission.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

/// Removes the role `name` with its permissions.
pub fn remove(conn: &mut SqliteConnection, name: &RoleName) -> Result<(), StorageError> {
    diesel::delete(roles::table.find(name.as_str())).execute(conn)?;
    Ok(())
}

/// Replaces the roles of `user`.
pub fn set_roles_of(
    conn: &mut SqliteConnection,
    user: UserId,
    names: &RoleNames,
) -> Result<(), StorageError> {
    diesel::delete(user_roles::table.filter(user_roles::user_id.eq(Id(user.0)))).execute(conn)?;
    insert_roles_of(conn, user, names)
}

/// Stores the roles of `user`, who has none yet.
pub fn insert_roles_of(
    conn: &mut SqliteConnection,
    user: UserId,
    names: &RoleNames,
) -> Result<(), StorageError> {
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

/// Returns whether there is an active user with the role `admin`.
pub fn any_admin(conn: &mut SqliteConnection) -> Result<bool, StorageError> {
    Ok(select(exists(active_admins())).get_result(conn)?)
}

/// Returns whether there is an active user with the role `admin` other than `user`.
pub fn any_admin_but(conn: &mut SqliteConnection, user: UserId) -> Result<bool, StorageError> {
    let others = active_admins().filter(users::id.ne(Id(user.0)));
    Ok(select(exists(others)).get_result(conn)?)
}

#[auto_type]
fn active_admins() -> _ {
    user_roles::table
        .inner_join(users::table)
        .filter(user_roles::role.eq("admin"))
        .filter(users::status.eq("active"))
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
