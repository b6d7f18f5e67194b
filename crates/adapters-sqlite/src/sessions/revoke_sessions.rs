use super::end_live;
use crate::{audit, authority, error::StorageError};
use diesel::SqliteConnection;
use domain::{
    audit::{AuditAction, AuditContext, AuditEvent},
    ports::{AuditSealer, RevokeSessions, SessionsRevoked},
    session::EndReason,
};

/// Ends every live session of a user on somebody's word.
pub fn revoke_sessions(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    force: RevokeSessions,
    context: &AuditContext,
) -> Result<SessionsRevoked, StorageError> {
    let Some(subject) = authority::subject(conn, force.user)? else {
        return Ok(SessionsRevoked::NoSuchUser);
    };
    let permitted = authority::standing(conn, force.authorized_by, context.at)?
        .and_then(|authority| authority.revoke(&subject));
    if let Err(denied) = permitted {
        return Ok(SessionsRevoked::Denied(denied));
    }
    let ended = end_live(conn, force.user, EndReason::SessionsRevoked, context.at)?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, force.user)
        .with("count", ended)
        .with("forced", true);
    audit::write(conn, sealer, context, &event)?;
    Ok(SessionsRevoked::Now(ended))
}
