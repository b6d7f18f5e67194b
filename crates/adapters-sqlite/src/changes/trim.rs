//! Removes the oldest events of the audit log.

use super::events::EventWriter;
use crate::{error::StorageError, tables::audit};
use diesel::SqliteConnection;
use domain::changes::{TrimAuditLog, TrimFacts};

/// Removes what `command` decides to remove; returns how many events that is.
pub fn trim(
    conn: &mut SqliteConnection,
    command: TrimAuditLog,
    events: &EventWriter,
) -> Result<u64, StorageError> {
    let ends = audit::ends(conn)?;
    let oldest = audit::oldest(conn, ends.head.number, command.limit)?;
    let Some(change) = command.decide(&TrimFacts { ends, oldest }) else {
        return Ok(0);
    };
    let (first, last) = change.remove;
    if change.moves_base {
        audit::move_base(conn, last)?;
    }
    audit::remove(conn, first, last)?;
    events.write(conn, &[change.event])?;
    Ok(change.count)
}
