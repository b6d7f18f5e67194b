//! What administrators, the operator and users themselves do to an account: each function is called within a transaction.

use super::changes::{save, save_hash};
use crate::{
    audit::Journal,
    authority::{Parties, Standing, parties},
    error::StorageError,
    schema::users,
    sessions::end_live,
};
use diesel::QueryDsl;
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditEvent},
    password::PasswordHash,
    ports::{Administer, Administered},
    session::EndReason,
    user::{Epoch, User, UserStatus},
};

/// The user, to be dealt with, or why not.
async fn admit(
    conn: &mut AsyncPgConnection,
    whom: &Administer,
    journal: &Journal,
    as_admin: Standing,
) -> Result<Result<Parties, Administered>, StorageError> {
    let found = parties(conn, whom.user, whom.authorized_by, journal.context.at, as_admin).await?;
    let Some(parties) = found else {
        return Ok(Err(Administered::NoSuchUser));
    };
    let allowed = parties
        .authority
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|authority| authority.administer(&parties.subject));
    if let Err(denied) = allowed {
        return Ok(Err(Administered::Denied(denied)));
    }
    let revision = parties.subject.user.revision;
    if whom.if_revision.is_some_and(|wanted| wanted != revision) {
        return Ok(Err(Administered::AnotherRevision));
    }
    Ok(Ok(parties))
}

pub async fn reset_password(
    conn: &mut AsyncPgConnection,
    whom: &Administer,
    hash: &PasswordHash,
    journal: &Journal,
) -> Result<Administered, StorageError> {
    let user = match admit(conn, whom, journal, Standing::Kept).await? {
        Ok(parties) => parties.subject.user,
        Err(refused) => return Ok(refused),
    };
    save_hash(conn, user.id, hash).await?;
    let user = User {
        must_change_password: true,
        epoch: Epoch(user.epoch.0 + 1),
        ..user
    };
    let user = save(conn, user, journal).await?;
    end_live(conn, user.id, EndReason::PasswordReset, journal.context.at).await?;
    let event = AuditEvent::on(AuditAction::PasswordReset, user.id);
    journal.write(conn, event).await?;
    Ok(Administered::Now(user))
}

pub async fn set_status(
    conn: &mut AsyncPgConnection,
    whom: &Administer,
    status: UserStatus,
    journal: &Journal,
) -> Result<Administered, StorageError> {
    let as_admin = match status {
        UserStatus::Active => Standing::Kept,
        UserStatus::Disabled => Standing::Lost,
    };
    let Parties {
        subject, last_admin, ..
    } = match admit(conn, whom, journal, as_admin).await? {
        Ok(parties) => parties,
        Err(refused) => return Ok(refused),
    };
    if subject.user.status == status {
        return Ok(Administered::Now(subject.user));
    }
    if last_admin {
        return Ok(Administered::LastAdmin);
    }
    let user = User {
        status,
        ..subject.user
    };
    let (user, action) = match status {
        UserStatus::Active => (user, AuditAction::UserEnabled),
        UserStatus::Disabled => {
            end_live(conn, user.id, EndReason::UserDisabled, journal.context.at).await?;
            let epoch = Epoch(user.epoch.0 + 1);
            (User { epoch, ..user }, AuditAction::UserDisabled)
        }
    };
    let user = save(conn, user, journal).await?;
    journal.write(conn, AuditEvent::on(action, user.id)).await?;
    Ok(Administered::Now(user))
}

/// Sessions and roles go with the user, by the schema.
pub async fn delete(
    conn: &mut AsyncPgConnection,
    whom: &Administer,
    journal: &Journal,
) -> Result<Administered, StorageError> {
    let Parties {
        subject, last_admin, ..
    } = match admit(conn, whom, journal, Standing::Lost).await? {
        Ok(parties) => parties,
        Err(refused) => return Ok(refused),
    };
    if last_admin {
        return Ok(Administered::LastAdmin);
    }
    let user = subject.user;
    diesel::delete(users::table.find(user.id.0)).execute(conn).await?;
    let event = AuditEvent::on(AuditAction::UserDeleted, user.id);
    journal.write(conn, event).await?;
    Ok(Administered::Now(user))
}
