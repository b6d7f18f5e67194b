//! Removes the oldest events of the sealed audit log, and accepts the log as it is. Both lock the
//! chain.

use super::events::EventWriter;
use crate::{error::StorageError, tables::audit};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::ChainEnd,
    changes::{AcceptAuditLog, TrimAuditLog, TrimFacts},
};

/// Removes what `command` decides to remove; returns how many events that is.
///
/// Locks the chain before it reads: two transactions that trim at once would both begin at the same
/// event.
pub async fn trim(
    conn: &mut AsyncPgConnection,
    command: TrimAuditLog,
    events: &EventWriter,
) -> Result<u64, StorageError> {
    let ends = audit::lock_ends(conn).await?;
    let oldest = audit::oldest(conn, ends.head.number, command.limit).await?;
    let Some(change) = command.decide(&TrimFacts { ends, oldest }) else {
        return Ok(0);
    };
    let (first, last) = change.remove;
    if change.moves_base {
        audit::move_base(conn, last).await?;
    }
    audit::remove(conn, first, last).await?;
    events.append(conn, ends.head, &change.event).await?;
    Ok(change.count)
}

/// Appends the event of `command` directly after the end of the chain; returns the new end.
pub async fn accept(
    conn: &mut AsyncPgConnection,
    command: AcceptAuditLog,
    events: &EventWriter,
) -> Result<ChainEnd, StorageError> {
    let head = audit::lock_ends(conn).await?.head;
    events.append(conn, head, &command.decide(head)).await
}
