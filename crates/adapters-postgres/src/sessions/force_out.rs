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
    ports::{ForceOut, ForcedOut},
    session::EndReason,
};

pub async fn force_out(
    conn: &mut AsyncPgConnection,
    force: &ForceOut,
    journal: &Journal,
) -> Result<ForcedOut, StorageError> {
    let at = journal.stamp.at;
    let Some(parties) = parties(conn, force.user, force.only_while, at, Standing::Kept).await? else {
        return Ok(ForcedOut::NoSuchUser);
    };
    let allowed = parties
        .authority
        .and_then(|authority| authority.revoke(&parties.subject));
    if let Err(denied) = allowed {
        return Ok(ForcedOut::Denied(denied));
    }
    let ended = end_live(conn, force.user, EndReason::ForcedOut, at).await?;
    let event = AuditEvent::on(AuditAction::AllSessionsEnded, force.user)
        .with("count", ended)
        .with("forced", true);
    journal.write(conn, event).await?;
    Ok(ForcedOut::Now(ended))
}
