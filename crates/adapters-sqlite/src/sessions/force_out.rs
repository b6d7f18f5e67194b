use super::end_live;
use crate::{audit, authority, error::StorageError};
use diesel::SqliteConnection;
use domain::{
    audit::{AuditAction, AuditEvent, Stamp},
    ports::{AuditSealer, ForceOut, ForcedOut},
    session::EndReason,
};

/// Ends every live session of a user on somebody's word.
pub fn force_out(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    force: ForceOut,
    stamp: &Stamp,
) -> Result<ForcedOut, StorageError> {
    let Some(subject) = authority::subject(conn, force.user)? else {
        return Ok(ForcedOut::NoSuchUser);
    };
    let permitted = authority::standing(conn, force.only_while, stamp.at)?
        .and_then(|authority| authority.revoke(&subject));
    if let Err(denied) = permitted {
        return Ok(ForcedOut::Denied(denied));
    }
    let ended = end_live(conn, force.user, EndReason::ForcedOut, stamp.at)?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, force.user)
        .with("count", ended)
        .with("forced", true);
    audit::write(conn, sealer, stamp, &event)?;
    Ok(ForcedOut::Now(ended))
}
