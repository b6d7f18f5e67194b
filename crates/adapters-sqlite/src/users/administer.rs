//! What is done to users' accounts, each within a transaction that nobody else writes beside.

use super::changes::{is_last_admin, next_epoch, set_hash, update};
use crate::{audit, authority, columns::Id, error::StorageError, schema::users, sessions};
use chrono::{DateTime, Utc};
use diesel::{QueryDsl, RunQueryDsl, SqliteConnection};
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    password::PasswordHash,
    ports::{Administer, Administered, AuditSealer},
    session::EndReason,
    user::{User, UserStatus},
};

pub fn reset_password(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    whom: Administer,
    hash: &PasswordHash,
    context: &AuditContext,
) -> Result<Administered, StorageError> {
    let user = match admit(conn, whom, context.at)? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    let user = User {
        epoch: next_epoch(&user),
        must_change_password: true,
        ..user
    };
    set_hash(conn, user.id, hash)?;
    let user = update(conn, user, context.at)?;
    sessions::end_live(conn, user.id, EndReason::PasswordReset, context.at)?;
    let event = AuditEvent::on(AuditAction::PasswordReset, user.id);
    audit::write(conn, sealer, context, &event)?;
    Ok(Administered::Now(user))
}

pub fn set_status(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    whom: Administer,
    status: UserStatus,
    context: &AuditContext,
) -> Result<Administered, StorageError> {
    let user = match admit(conn, whom, context.at)? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    if user.status == status {
        return Ok(Administered::Now(user));
    }
    if status == UserStatus::Disabled && is_last_admin(conn, &user)? {
        return Ok(Administered::LastAdmin);
    }
    let (epoch, action) = match status {
        UserStatus::Active => (user.epoch, AuditAction::UserEnabled),
        UserStatus::Disabled => {
            sessions::end_live(conn, user.id, EndReason::UserDisabled, context.at)?;
            (next_epoch(&user), AuditAction::UserDisabled)
        }
    };
    let user = User {
        status,
        epoch,
        ..user
    };
    let user = update(conn, user, context.at)?;
    audit::write(conn, sealer, context, &AuditEvent::on(action, user.id))?;
    Ok(Administered::Now(user))
}

/// Roles and sessions go with the user.
pub fn delete(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    whom: Administer,
    context: &AuditContext,
) -> Result<Administered, StorageError> {
    let user = match admit(conn, whom, context.at)? {
        Ok(user) => user,
        Err(refused) => return Ok(refused),
    };
    if is_last_admin(conn, &user)? {
        return Ok(Administered::LastAdmin);
    }
    diesel::delete(users::table.find(Id(user.id.0))).execute(conn)?;
    let event = AuditEvent::on(AuditAction::UserDeleted, user.id);
    audit::write(conn, sealer, context, &event)?;
    Ok(Administered::Now(user))
}

/// Who is meant, as they are, or why nothing may be done to them.
fn admit(
    conn: &mut SqliteConnection,
    whom: Administer,
    at: DateTime<Utc>,
) -> Result<Result<User, Administered>, StorageError> {
    let Some(subject) = authority::subject(conn, whom.user)? else {
        return Ok(Err(Administered::NoSuchUser));
    };
    let permitted = authority::standing(conn, whom.authorized_by, at)?
        .and_then(|authority| authority.administer(&subject));
    if let Err(denied) = permitted {
        return Ok(Err(Administered::Denied(denied)));
    }
    let user = subject.user;
    if whom.if_revision.is_some_and(|wanted| wanted != user.revision) {
        return Ok(Err(Administered::AnotherRevision));
    }
    Ok(Ok(user))
}
