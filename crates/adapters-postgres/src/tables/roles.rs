//! The catalogue of roles.

use super::{
    permissions::{parse_permissions, permission_texts, permissions_of_role, role_texts},
    rows::parse_all,
};
use crate::{
    error::StorageError,
    prepared::Prepared,
    schema::{role_permissions, roles},
};
use diesel::{
    ExpressionMethods, QueryDsl, Queryable, Selectable, SelectableHelper,
    pg::Pg,
    sql_query,
    sql_types::{Array, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    revision::Revision,
    role::{Description, Permissions, Role, RoleName, RoleNames},
};

/// Returns those of `names` that exist.
pub async fn find(conn: &mut AsyncPgConnection, names: &RoleNames) -> Result<Vec<Role>, StorageError> {
    let roles = roles::table
        .filter(roles::name.eq_any(role_texts(names)))
        .order(roles::name)
        .select(RoleRow::as_select());
    parse_all(roles.load(conn).await)
}

/// Returns all roles, in the order of their names.
pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<Role>, StorageError> {
    let roles = roles::table.order(roles::name).select(RoleRow::as_select());
    parse_all(roles.load(conn).await)
}

/// Locks the permissions of all roles against changes until the transaction ends.
pub async fn lock_catalogue_shared(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let admin = roles::table.find(RoleName::ADMIN.as_str()).select(roles::name);
    let _: String = admin.for_share().first(conn).await?;
    Ok(())
}

/// Prevents other transactions from locking the catalogue, shared or exclusively, until this one
/// ends. They can still assign the role `admin`, which only requires that its row exists.
pub async fn lock_catalogue_exclusive(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let admin = roles::table.find(RoleName::ADMIN.as_str()).select(roles::name);
    let _: String = admin.for_no_key_update().first(conn).await?;
    Ok(())
}

/// Returns those of `names` that exist. They cannot be removed until the transaction ends.
///
/// Their permissions are current if the catalogue is locked, because no other transaction can then
/// remove or change a role, so this statement does not wait. Otherwise the statement may wait, and
/// the permissions may be from before the wait.
pub async fn lock_to_give(
    conn: &mut AsyncPgConnection,
    names: &RoleNames,
) -> Result<Vec<Role>, StorageError> {
    let roles = roles::table
        .filter(roles::name.eq_any(role_texts(names)))
        .order(roles::name)
        .select(RoleRow::as_select());
    parse_all(roles.for_key_share().load(conn).await)
}

/// Waits for transactions that assign the role, and prevents others from assigning it until this
/// one ends.
pub async fn lock_to_remove(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<(), StorageError> {
    let role = roles::table.find(name.as_str()).select(roles::name);
    let _: Vec<String> = role.for_update().load(conn).await?;
    Ok(())
}

/// Stores a role without its permissions, in place of one of the same name.
pub async fn write(conn: &mut AsyncPgConnection, role: &Role) -> Result<(), StorageError> {
    let properties = (
        roles::description.eq(role.description.as_str()),
        roles::self_assignable.eq(role.self_assignable),
        roles::revision.eq(role.revision.0),
    );
    let upsert = diesel::insert_into(roles::table)
        .values((roles::name.eq(role.name.as_str()), properties))
        .on_conflict(roles::name)
        .do_update()
        .set(properties);
    Prepared(upsert).execute(conn).await?;
    Ok(())
}

/// Takes the permissions as one array, so that one statement serves any number of them.
const GRANT: &str =
    "INSERT INTO role_permissions (role, permission) SELECT $1, unnest($2) ON CONFLICT DO NOTHING";

/// Replaces the permissions of a role with `permissions`. Runs two statements.
pub async fn replace_permissions(
    conn: &mut AsyncPgConnection,
    role: &RoleName,
    permissions: &Permissions,
) -> Result<(), StorageError> {
    let lost = role_permissions::table
        .filter(role_permissions::role.eq(role.as_str()))
        .filter(role_permissions::permission.ne_all(permission_texts(permissions)));
    diesel::delete(lost).execute(conn).await?;
    let granted = sql_query(GRANT)
        .bind::<Text, _>(role.as_str())
        .bind::<Array<Text>, _>(permission_texts(permissions));
    Prepared(granted).execute(conn).await?;
    Ok(())
}

/// Removes a role that no user has, with its permissions.
pub async fn remove(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<(), StorageError> {
    diesel::delete(roles::table.find(name.as_str()))
        .execute(conn)
        .await?;
    Ok(())
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
