//! What changes users: each function is called within a transaction that nobody else writes beside, so that it may
//! look first and write then.

use super::{
    find,
    rows::{NewUserRow, status_name},
};
use crate::{
    audit,
    columns::{Id, Micros},
    error::StorageError,
    roles,
    schema::{user_roles, users},
    session_views, sessions,
};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection,
    dsl::{auto_type, exists, select},
};
use domain::{
    audit::{AuditAction, Stamp},
    password::PasswordHash,
    ports::{ChangePassword, ChangeRoles, Inserted, PasswordChanged, RolesChanged, StatusChanged},
    role::RoleName,
    session::EndReason,
    token::Vouched,
    user::{Epoch, NewUser, User, UserId, UserStatus},
};

pub fn insert(conn: &mut SqliteConnection, user: &NewUser, stamp: &Stamp) -> Result<Inserted, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(user.login.canonical().as_str()));
    if select(exists(namesake)).get_result(conn)? {
        return Ok(Inserted::LoginTaken);
    }
    if !roles::all_known(conn, &user.roles)? {
        return Ok(Inserted::UnknownRole);
    }
    diesel::insert_into(users::table)
        .values(NewUserRow::registered_at(stamp.at, user))
        .execute(conn)?;
    roles::give(conn, user.id, &user.roles)?;
    audit::write(conn, stamp, AuditAction::UserRegistered, user.id, None)?;
    Ok(Inserted::Now(user.registered_at(stamp.at)))
}

pub fn change_roles(
    conn: &mut SqliteConnection,
    change: ChangeRoles,
    stamp: &Stamp,
) -> Result<RolesChanged, StorageError> {
    let Some(user) = find(conn, change.user)? else {
        return Ok(RolesChanged::NoSuchUser);
    };
    if let Some(caller) = change.only_while
        && !still_stands(conn, caller, stamp)?
    {
        return Ok(RolesChanged::Stale);
    }
    if !roles::all_known(conn, &change.roles)? {
        return Ok(RolesChanged::UnknownRole);
    }
    if !change.roles.contains(&RoleName::ADMIN) && is_last_admin(conn, &user)? {
        return Ok(RolesChanged::LastAdmin);
    }
    roles::give(conn, user.id, &change.roles)?;
    let user = raise_epoch(conn, user, stamp)?;
    if !change.keep_sessions {
        sessions::end_live(conn, user.id, EndReason::RolesChanged, stamp.at)?;
    }
    audit::write(conn, stamp, AuditAction::RolesChanged, user.id, None)?;
    Ok(RolesChanged::Now(User {
        roles: change.roles,
        ..user
    }))
}

pub fn change_password(
    conn: &mut SqliteConnection,
    change: &ChangePassword,
    stamp: &Stamp,
) -> Result<PasswordChanged, StorageError> {
    let Some(user) = find(conn, change.only_while.user)? else {
        return Ok(PasswordChanged::Stale);
    };
    if !still_stands(conn, change.only_while, stamp)? {
        return Ok(PasswordChanged::Stale);
    }
    diesel::update(users::table.find(Id(user.id.0)))
        .set(users::password_hash.eq(change.hash.as_phc()))
        .execute(conn)?;
    let user = raise_epoch(conn, user, stamp)?;
    sessions::end_live(conn, user.id, EndReason::PasswordChanged, stamp.at)?;
    sessions::insert(conn, &change.session)?;
    audit::write(
        conn,
        stamp,
        AuditAction::PasswordChanged,
        user.id,
        Some(change.session.id),
    )?;
    Ok(PasswordChanged::Now(user))
}

pub fn replace_hash(
    conn: &mut SqliteConnection,
    user: UserId,
    old: &PasswordHash,
    new: &PasswordHash,
) -> Result<bool, StorageError> {
    let unchanged = users::table
        .find(Id(user.0))
        .filter(users::password_hash.eq(old.as_phc()));
    let replaced = diesel::update(unchanged)
        .set(users::password_hash.eq(new.as_phc()))
        .execute(conn)?;
    Ok(replaced == 1)
}

pub fn set_status(
    conn: &mut SqliteConnection,
    id: UserId,
    status: UserStatus,
    stamp: &Stamp,
) -> Result<StatusChanged, StorageError> {
    let Some(user) = find(conn, id)? else {
        return Ok(StatusChanged::NoSuchUser);
    };
    if user.status == status {
        return Ok(StatusChanged::Now(user));
    }
    if status == UserStatus::Disabled && is_last_admin(conn, &user)? {
        return Ok(StatusChanged::LastAdmin);
    }
    diesel::update(users::table.find(Id(id.0)))
        .set((
            users::status.eq(status_name(status)),
            users::updated_at.eq(Micros(stamp.at)),
        ))
        .execute(conn)?;
    let user = User {
        status,
        updated_at: stamp.at,
        ..user
    };
    let (user, action) = match status {
        UserStatus::Active => (user, AuditAction::UserEnabled),
        UserStatus::Disabled => {
            sessions::end_live(conn, id, EndReason::UserDisabled, stamp.at)?;
            (raise_epoch(conn, user, stamp)?, AuditAction::UserDisabled)
        }
    };
    audit::write(conn, stamp, action, id, None)?;
    Ok(StatusChanged::Now(user))
}

/// Whether what `caller` was let in for still holds, now that nobody writes beside.
fn still_stands(conn: &mut SqliteConnection, caller: Vouched, stamp: &Stamp) -> Result<bool, StorageError> {
    let view = session_views::view(conn, caller.session)?;
    Ok(view.is_some_and(|view| view.stand_behind(caller, stamp.at).is_ok()))
}

/// Makes every access token of `user` worthless; the user as they are then.
fn raise_epoch(conn: &mut SqliteConnection, user: User, stamp: &Stamp) -> Result<User, StorageError> {
    let epoch = Epoch(user.epoch.0 + 1);
    diesel::update(users::table.find(Id(user.id.0)))
        .set((
            users::token_epoch.eq(epoch.0),
            users::updated_at.eq(Micros(stamp.at)),
        ))
        .execute(conn)?;
    Ok(User {
        epoch,
        updated_at: stamp.at,
        ..user
    })
}

fn is_last_admin(conn: &mut SqliteConnection, user: &User) -> Result<bool, StorageError> {
    if user.status != UserStatus::Active || !user.roles.contains(&RoleName::ADMIN) {
        return Ok(false);
    }
    let others = active_admins().filter(users::id.ne(Id(user.id.0)));
    Ok(!select(exists(others)).get_result::<bool>(conn)?)
}

pub fn any_admin(conn: &mut SqliteConnection) -> Result<bool, StorageError> {
    Ok(select(exists(active_admins())).get_result(conn)?)
}

#[auto_type]
fn active_admins() -> _ {
    user_roles::table
        .inner_join(users::table)
        .filter(user_roles::role.eq("admin"))
        .filter(users::status.eq("active"))
}
