//! Changing the catalogue. The row of the role `admin` stands for all of it: whoever judges by what roles allow holds that
//! row still, and whoever changes that, or the number of admins, holds it alone.

use super::{RoleRow, find};
use crate::{
    audit::Journal,
    authority::{lock_word, standing},
    error::StorageError,
    prepared::Prepared,
    schema::{role_permissions, roles, user_roles},
};
use diesel::{
    ExpressionMethods, QueryDsl, SelectableHelper,
    dsl::count_star,
    sql_query,
    sql_types::{Array, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditEvent},
    ports::{MAX_ROLES, PutRole, RemoveRole, RolePut, RoleRemoved},
    revision::Revision,
    role::{OWN_PERMISSIONS, Permission, Permissions, Role, RoleName},
};

/// What each role allows stays as it is until the transaction ends.
pub async fn lock_catalogue_shared(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let admin = roles::table.find(RoleName::ADMIN.as_str()).select(roles::name);
    let _: String = admin.for_share().first(conn).await?;
    Ok(())
}

/// As [`lock_catalogue_shared`], and until the transaction ends nobody else is let past this either. Users may be given the role
/// `admin` meanwhile, which asks for no more than that the row stays.
pub async fn lock_catalogue_exclusive(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let admin = roles::table.find(RoleName::ADMIN.as_str()).select(roles::name);
    let _: String = admin.for_no_key_update().first(conn).await?;
    Ok(())
}

pub async fn list(conn: &mut AsyncPgConnection) -> Result<Vec<Role>, StorageError> {
    let rows: Vec<RoleRow> = roles::table
        .order(roles::name)
        .select(RoleRow::as_select())
        .load(conn)
        .await?;
    rows.into_iter().map(Role::try_from).collect()
}

pub async fn put(
    conn: &mut AsyncPgConnection,
    put: &PutRole,
    journal: &Journal,
) -> Result<RolePut, StorageError> {
    lock_word(conn, put.authorized_by).await?;
    lock_catalogue_exclusive(conn).await?;
    let before = find_one(conn, &put.name).await?;
    let authority = standing(conn, put.authorized_by, journal.context.at).await?;
    let after = wanted(put, before.as_ref());
    if let Err(denied) = authority.and_then(|authority| authority.write_role(before.as_ref(), &after)) {
        return Ok(RolePut::Denied(denied));
    }
    if !put
        .precondition
        .is_met_by(before.as_ref().map(|role| role.revision))
    {
        return Ok(RolePut::AnotherRevision);
    }
    if before.is_none() && count(conn).await? >= i64::from(MAX_ROLES) {
        return Ok(RolePut::Full);
    }
    save(conn, &after).await?;
    let holders = holders(conn, &after.name).await?;
    journal.write(conn, written(before.as_ref(), &after)).await?;
    Ok(RolePut::Now {
        created: before.is_none(),
        role: after,
        holders,
    })
}

fn wanted(put: &PutRole, before: Option<&Role>) -> Role {
    Role {
        name: put.name.clone(),
        description: put.description.clone(),
        permissions: put.permissions.clone(),
        self_assignable: put.self_assignable,
        revision: before.map_or(Revision::FIRST, |role| role.revision.next()),
    }
}

fn written(before: Option<&Role>, after: &Role) -> AuditEvent {
    let action = match before {
        Some(_) => AuditAction::RoleChanged,
        None => AuditAction::RoleCreated,
    };
    AuditEvent::new(action)
        .with("role", &after.name)
        .with("permissions", permission_texts(&after.permissions).join(" "))
        .with("self_assignable", after.self_assignable)
}

pub async fn remove(
    conn: &mut AsyncPgConnection,
    remove: &RemoveRole,
    journal: &Journal,
) -> Result<RoleRemoved, StorageError> {
    lock_word(conn, remove.authorized_by).await?;
    lock_catalogue_exclusive(conn).await?;
    let Some(role) = find_one(conn, &remove.name).await? else {
        return Ok(RoleRemoved::NoSuchRole);
    };
    let authority = standing(conn, remove.authorized_by, journal.context.at).await?;
    if let Err(denied) = authority.and_then(|authority| authority.remove_role(&role)) {
        return Ok(RoleRemoved::Denied(denied));
    }
    if remove.if_revision.is_some_and(|wanted| wanted != role.revision) {
        return Ok(RoleRemoved::AnotherRevision);
    }
    keep_from_being_given(conn, &role.name).await?;
    let holders = holders(conn, &role.name).await?;
    if holders > 0 {
        return Ok(RoleRemoved::InUse(holders));
    }
    diesel::delete(roles::table.find(role.name.as_str()))
        .execute(conn)
        .await?;
    settle_admin(conn).await?;
    let event = AuditEvent::new(AuditAction::RoleRemoved).with("role", &role.name);
    journal.write(conn, event).await?;
    Ok(RoleRemoved::Now)
}

async fn find_one(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<Option<Role>, StorageError> {
    let found = find(conn, &[name.clone()].into()).await?;
    Ok(found.into_iter().next())
}

/// Waits for those who are giving the role away, and keeps off those who would: they find it gone, or still there.
async fn keep_from_being_given(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<(), StorageError> {
    let role = roles::table.find(name.as_str()).select(roles::name);
    let _: String = role.for_update().first(conn).await?;
    Ok(())
}

async fn holders(conn: &mut AsyncPgConnection, name: &RoleName) -> Result<u64, StorageError> {
    let holding = user_roles::table.filter(user_roles::role.eq(name.as_str()));
    let count: i64 = holding.select(count_star()).first(conn).await?;
    Ok(count.unsigned_abs())
}

async fn count(conn: &mut AsyncPgConnection) -> Result<i64, StorageError> {
    Ok(roles::table.select(count_star()).first(conn).await?)
}

/// One text, so that one statement serves any number of permissions.
const GRANT: &str =
    "INSERT INTO role_permissions (role, permission) SELECT $1, unnest($2) ON CONFLICT DO NOTHING";

async fn save(conn: &mut AsyncPgConnection, role: &Role) -> Result<(), StorageError> {
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
    let lost = role_permissions::table
        .filter(role_permissions::role.eq(role.name.as_str()))
        .filter(role_permissions::permission.ne_all(permission_texts(&role.permissions)));
    diesel::delete(lost).execute(conn).await?;
    let granted = sql_query(GRANT)
        .bind::<Text, _>(role.name.as_str())
        .bind::<Array<Text>, _>(permission_texts(&role.permissions));
    Prepared(granted).execute(conn).await?;
    settle_admin(conn).await
}

/// `admin` has what any other role has, besides the service's own.
const GRANT_TO_ADMIN: &str = "
    INSERT INTO role_permissions (role, permission)
    SELECT DISTINCT 'admin', permission FROM role_permissions WHERE role <> 'admin'
    ON CONFLICT DO NOTHING";
const TAKE_FROM_ADMIN: &str = "
    DELETE FROM role_permissions AS held
    WHERE held.role = 'admin' AND held.permission <> ALL ($1) AND NOT EXISTS (
        SELECT FROM role_permissions AS other
        WHERE other.role <> 'admin' AND other.permission = held.permission)";

async fn settle_admin(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    Prepared(sql_query(GRANT_TO_ADMIN)).execute(conn).await?;
    let own = OWN_PERMISSIONS.into();
    let surplus = sql_query(TAKE_FROM_ADMIN).bind::<Array<Text>, _>(permission_texts(&own));
    Prepared(surplus).execute(conn).await?;
    Ok(())
}

fn permission_texts(permissions: &Permissions) -> Vec<&str> {
    permissions.iter().map(Permission::as_str).collect()
}
