//! The end of all of somebody's sessions, on somebody else's word.

use super::end_live;
use crate::{
    audit::Journal,
    authority::{Standing, parties},
    error::StorageError,
};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{AuditAction, AuditEvent},
    ports::{RevokeSessions, SessionsRevoked},
    session::EndReason,
};

pub async fn revoke_sessions(
    conn: &mut AsyncPgConnection,
    force: &RevokeSessions,
    journal: &Journal,
) -> Result<SessionsRevoked, StorageError> {
    let at = journal.context.at;
    let Some(parties) = parties(conn, force.user, force.authorized_by, at, Standing::Kept).await? else {
        return Ok(SessionsRevoked::NoSuchUser);
    };
    let allowed = parties
        .authority
        .and_then(|authority| authority.revoke(&parties.subject));
    if let Err(denied) = allowed {
        return Ok(SessionsRevoked::Denied(denied));
    }
    let ended = end_live(conn, force.user, EndReason::SessionsRevoked, at).await?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, force.user)
        .with("count", ended)
        .with("forced", true);
    journal.write(conn, event).await?;
    Ok(SessionsRevoked::Now(ended))
}
