//! The ends that sessions come to.

use super::live_at;
use crate::{audit::Journal, error::StorageError, prepared::Prepared, schema::sessions, users::lock};
use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods, QueryDsl};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use domain::{
    audit::{AuditAction, AuditEvent},
    ports::Ended,
    session::{EndReason, SessionId},
    user::UserId,
};

pub async fn end(
    conn: &mut AsyncPgConnection,
    id: SessionId,
    user: UserId,
    reason: EndReason,
    journal: &Journal,
) -> Result<Ended, StorageError> {
    let live = sessions::table
        .find(id.0)
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(journal.context.at));
    let ended = Prepared(diesel::update(live).set((
        sessions::revoked_at.eq(journal.context.at),
        sessions::revoke_reason.eq(reason.as_str()),
    )))
    .execute(conn)
    .await?;
    if ended == 0 {
        return Ok(Ended::Before);
    }
    let action = match reason {
        EndReason::RefreshTokenReused => AuditAction::RefreshTokenReused,
        EndReason::LoggedOut
        | EndReason::RolesChanged
        | EndReason::PasswordChanged
        | EndReason::PasswordReset
        | EndReason::UserDisabled
        | EndReason::SessionsRevoked
        | EndReason::MadeRoom => AuditAction::SessionEnded,
    };
    let event = AuditEvent::on(action, user).in_session(id);
    journal.write(conn, event).await?;
    Ok(Ended::Now)
}

pub async fn end_all(
    conn: &mut AsyncPgConnection,
    user: UserId,
    reason: EndReason,
    journal: &Journal,
) -> Result<u64, StorageError> {
    if lock(conn, [user]).await?.is_empty() {
        return Ok(0);
    }
    let ended = end_live(conn, user, reason, journal.context.at).await?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, user).with("count", ended);
    journal.write(conn, event).await?;
    Ok(ended)
}

/// Ends every live session of `user`, whose row is locked; how many there were.
pub async fn end_live(
    conn: &mut AsyncPgConnection,
    user: UserId,
    reason: EndReason,
    at: DateTime<Utc>,
) -> Result<u64, StorageError> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user.0))
        .filter(live_at(at));
    let ended = Prepared(diesel::update(live).set((
        sessions::revoked_at.eq(at),
        sessions::revoke_reason.eq(reason.as_str()),
    )))
    .execute(conn)
    .await?;
    Ok(ended as u64)
}
