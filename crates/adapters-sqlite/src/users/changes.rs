//! What changes users: each function is called within a transaction that nobody else writes beside, so that it may
//! look first and write then.

use super::{
    pages::find,
    rows::{NewUserRow, UserChange},
};
use crate::{
    audit, authority,
    columns::Id,
    error::StorageError,
    roles,
    schema::{user_roles, users},
    sessions,
};
use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods, QueryDsl, RunQueryDsl, SqliteConnection,
    dsl::{auto_type, exists, select},
};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    password::PasswordHash,
    ports::{AuditSealer, ChangePassword, ChangeRoles, Inserted, PasswordChanged, RolesChanged},
    role::{Role, RoleName, RoleNames},
    session::EndReason,
    user::{Epoch, NewUser, User, UserId, UserStatus},
};

pub fn insert(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    user: &NewUser,
    context: &AuditContext,
) -> Result<Inserted, StorageError> {
    let namesake = users::table.filter(users::canonical_login.eq(user.login.canonical().as_str()));
    if select(exists(namesake)).get_result(conn)? {
        return Ok(Inserted::LoginTaken);
    }
    if roles::find(conn, &user.roles)?.len() < user.roles.len() {
        return Ok(Inserted::UnknownRole);
    }
    let hash = &user.hash;
    let user = user.registered_at(context.at);
    diesel::insert_into(users::table)
        .values(NewUserRow::new(&user, hash))
        .execute(conn)?;
    roles::give_first(conn, user.id, &user.roles)?;
    let event = AuditEvent::on(AuditAction::UserRegistered, user.id).with("roles", joined(&user.roles));
    audit::write(conn, sealer, context, &event)?;
    Ok(Inserted::Now(user))
}

pub fn change_roles(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    change: ChangeRoles,
    context: &AuditContext,
) -> Result<RolesChanged, StorageError> {
    let user = match may_have(conn, &change, context)? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    roles::give(conn, user.id, &change.roles)?;
    let sessions_ended = if change.keep_sessions {
        0
    } else {
        sessions::end_live(conn, user.id, EndReason::RolesChanged, context.at)?
    };
    let event = roles_changed(&user, &change);
    let user = User {
        roles: change.roles,
        epoch: next_epoch(&user),
        ..user
    };
    let user = update(conn, user, context.at)?;
    audit::write(conn, sealer, context, &event)?;
    Ok(RolesChanged::Now { user, sessions_ended })
}

/// Whose roles `change` may change, as they are, or why it may not.
fn may_have(
    conn: &mut SqliteConnection,
    change: &ChangeRoles,
    context: &AuditContext,
) -> Result<Result<User, RolesChanged>, StorageError> {
    let Some(subject) = authority::subject(conn, change.user)? else {
        return Ok(Err(RolesChanged::NoSuchUser));
    };
    let authority = match authority::standing(conn, change.authorized_by, context.at)? {
        Ok(authority) => authority,
        Err(denied) => return Ok(Err(RolesChanged::Denied(denied))),
    };
    let catalogue = roles::find(conn, &change.roles)?;
    if let Some(unknown) = first_unknown(&change.roles, &catalogue) {
        return Ok(Err(RolesChanged::UnknownRole(unknown)));
    }
    if let Err(denied) = authority.assign(&subject, &change.roles, &catalogue) {
        return Ok(Err(RolesChanged::Denied(denied)));
    }
    let user = subject.user;
    if change.if_revision.is_some_and(|wanted| wanted != user.revision) {
        return Ok(Err(RolesChanged::AnotherRevision));
    }
    if !change.roles.contains(&RoleName::ADMIN) && is_last_admin(conn, &user)? {
        return Ok(Err(RolesChanged::LastAdmin));
    }
    Ok(Ok(user))
}

fn first_unknown(names: &RoleNames, catalogue: &[Role]) -> Option<RoleName> {
    let is_known = |name: &RoleName| catalogue.iter().any(|role| role.name == *name);
    names.iter().find(|name| !is_known(name)).cloned()
}

fn roles_changed(user: &User, change: &ChangeRoles) -> AuditEvent {
    let event = AuditEvent::on(AuditAction::RolesChanged, user.id)
        .with("before", joined(&user.roles))
        .with("after", joined(&change.roles));
    if change.keep_sessions {
        event.with("kept_sessions", true)
    } else {
        event
    }
}

pub fn change_password(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    change: &ChangePassword,
    context: &AuditContext,
) -> Result<PasswordChanged, StorageError> {
    let Some(user) = find(conn, change.authorized_by.user)? else {
        return Ok(PasswordChanged::Stale);
    };
    if authority::standing(conn, Some(change.authorized_by), context.at)?.is_err() {
        return Ok(PasswordChanged::Stale);
    }
    let user = User {
        epoch: next_epoch(&user),
        must_change_password: false,
        ..user
    };
    set_hash(conn, user.id, &change.hash)?;
    let user = update(conn, user, context.at)?;
    sessions::end_live(conn, user.id, EndReason::PasswordChanged, context.at)?;
    sessions::insert(conn, &change.session)?;
    let event = AuditEvent::on(AuditAction::PasswordChanged, user.id).in_session(change.session.id);
    audit::write(conn, sealer, context, &event)?;
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

pub fn set_hash(conn: &mut SqliteConnection, user: UserId, hash: &PasswordHash) -> Result<(), StorageError> {
    diesel::update(users::table.find(Id(user.0)))
        .set(users::password_hash.eq(hash.as_phc()))
        .execute(conn)?;
    Ok(())
}

/// Stores all but the roles of `user`, who was changed at `at`; the user one revision on.
pub fn update(conn: &mut SqliteConnection, user: User, at: DateTime<Utc>) -> Result<User, StorageError> {
    let user = User {
        revision: user.revision.next(),
        updated_at: at,
        ..user
    };
    diesel::update(users::table.find(Id(user.id.0)))
        .set(UserChange::from(&user))
        .execute(conn)?;
    Ok(user)
}

/// The epoch at which every access token that `user` has is worthless.
pub fn next_epoch(user: &User) -> Epoch {
    Epoch(user.epoch.0 + 1)
}

/// Roles as events tell of them.
pub fn joined(names: &RoleNames) -> String {
    roles::joined(names.iter().map(RoleName::as_str))
}

pub fn is_last_admin(conn: &mut SqliteConnection, user: &User) -> Result<bool, StorageError> {
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
