//! What is done to the catalogue, within a transaction that nobody else writes beside.

use super::{RoleRow, find, joined};
use crate::{
    audit, authority,
    error::StorageError,
    schema::{role_permissions, roles, user_roles},
};
use diesel::{ExpressionMethods, QueryDsl, RunQueryDsl, SelectableHelper, SqliteConnection};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    ports::{AuditSealer, MAX_ROLES, PutRole, RemoveRole, RolePut, RoleRemoved},
    revision::Revision,
    role::{OWN_PERMISSIONS, Permission, Permissions, Role, RoleName},
};

pub fn list(conn: &mut SqliteConnection) -> Result<Vec<Role>, StorageError> {
    roles::table
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)?
        .into_iter()
        .map(Role::try_from)
        .collect()
}

pub fn put(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    put: PutRole,
    context: &AuditContext,
) -> Result<RolePut, StorageError> {
    let before = find_one(conn, &put.name)?;
    let revision = before.as_ref().map(|role| role.revision);
    let role = Role {
        name: put.name,
        description: put.description,
        permissions: put.permissions,
        self_assignable: put.self_assignable,
        revision: revision.map_or(Revision::FIRST, Revision::next),
    };
    let permitted = authority::standing(conn, put.authorized_by, context.at)?
        .and_then(|authority| authority.write_role(before.as_ref(), &role));
    if let Err(denied) = permitted {
        return Ok(RolePut::Denied(denied));
    }
    if !put.precondition.is_met_by(revision) {
        return Ok(RolePut::AnotherRevision);
    }
    let created = before.is_none();
    if created && roles::table.count().get_result::<i64>(conn)? >= i64::from(MAX_ROLES) {
        return Ok(RolePut::Full);
    }
    store(conn, &role)?;
    give_admin_every_permission(conn)?;
    let holders = holders(conn, &role.name)?;
    audit::write(conn, sealer, context, &written(&role, created))?;
    Ok(RolePut::Now {
        role,
        created,
        holders,
    })
}

pub fn remove(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    remove: &RemoveRole,
    context: &AuditContext,
) -> Result<RoleRemoved, StorageError> {
    let Some(role) = find_one(conn, &remove.name)? else {
        return Ok(RoleRemoved::NoSuchRole);
    };
    let permitted = authority::standing(conn, remove.authorized_by, context.at)?
        .and_then(|authority| authority.remove_role(&role));
    if let Err(denied) = permitted {
        return Ok(RoleRemoved::Denied(denied));
    }
    if remove.if_revision.is_some_and(|wanted| wanted != role.revision) {
        return Ok(RoleRemoved::AnotherRevision);
    }
    let holders = holders(conn, &role.name)?;
    if holders > 0 {
        return Ok(RoleRemoved::InUse(holders));
    }
    diesel::delete(roles::table.find(role.name.as_str())).execute(conn)?;
    give_admin_every_permission(conn)?;
    let event = AuditEvent::new(AuditAction::RoleRemoved).with("role", &role.name);
    audit::write(conn, sealer, context, &event)?;
    Ok(RoleRemoved::Now)
}

fn find_one(conn: &mut SqliteConnection, name: &RoleName) -> Result<Option<Role>, StorageError> {
    Ok(find(conn, &[name.clone()].into())?.pop())
}

/// How many users have the role.
pub fn holders(conn: &mut SqliteConnection, name: &RoleName) -> Result<u64, StorageError> {
    let holders: i64 = user_roles::table
        .filter(user_roles::role.eq(name.as_str()))
        .count()
        .get_result(conn)?;
    Ok(holders.unsigned_abs())
}

fn store(conn: &mut SqliteConnection, role: &Role) -> Result<(), StorageError> {
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
    allow(conn, &role.name, &role.permissions)
}

/// Makes `permissions` what the role allows, and nothing else.
fn allow(
    conn: &mut SqliteConnection,
    role: &RoleName,
    permissions: &Permissions,
) -> Result<(), StorageError> {
    diesel::delete(role_permissions::table.filter(role_permissions::role.eq(role.as_str()))).execute(conn)?;
    for permission in permissions {
        diesel::insert_into(role_permissions::table)
            .values((
                role_permissions::role.eq(role.as_str()),
                role_permissions::permission.eq(permission.as_str()),
            ))
            .execute(conn)?;
    }
    Ok(())
}

fn give_admin_every_permission(conn: &mut SqliteConnection) -> Result<(), StorageError> {
    let granted: Vec<String> = role_permissions::table
        .filter(role_permissions::role.ne(RoleName::ADMIN.as_str()))
        .select(role_permissions::permission)
        .distinct()
        .load(conn)?;
    let parse =
        |text: &String| Permission::parse(text).map_err(|error| StorageError::row("role_permissions", error));
    let mut every: Permissions = granted.iter().map(parse).collect::<Result<_, _>>()?;
    every.extend(OWN_PERMISSIONS);
    allow(conn, &RoleName::ADMIN, &every)
}

fn written(role: &Role, created: bool) -> AuditEvent {
    let action = if created {
        AuditAction::RoleCreated
    } else {
        AuditAction::RoleChanged
    };
    AuditEvent::new(action)
        .with("role", &role.name)
        .with(
            "permissions",
            joined(role.permissions.iter().map(Permission::as_str)),
        )
        .with("self_assignable", role.self_assignable)
}
