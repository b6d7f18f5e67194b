//! Removal of the oldest events of the audit log.

use super::events;
use crate::{error::StorageError, tables::audit};
use diesel::SqliteConnection;
use domain::{
    audit::AuditContext,
    changes::{TrimAuditLog, TrimChange, TrimFacts},
    ports::AuditSealer,
};

/// Executes `command`, and returns how many events it removed.
pub fn execute(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    command: TrimAuditLog,
    context: &AuditContext,
) -> Result<u64, StorageError> {
    let facts = load(conn, command)?;
    let Some(change) = command.decide(&facts) else {
        return Ok(0);
    };
    apply(conn, &change)?;
    events::write(conn, sealer, context, &change.event)?;
    Ok(change.count)
}

fn load(conn: &mut SqliteConnection, command: TrimAuditLog) -> Result<TrimFacts, StorageError> {
    let ends = audit::ends(conn)?;
    let oldest = audit::oldest(conn, ends.head.number, command.limit)?;
    Ok(TrimFacts { ends, oldest })
}

fn apply(conn: &mut SqliteConnection, change: &TrimChange) -> Result<(), StorageError> {
    let (first, last) = change.remove;
    if change.moves_base {
        audit::move_base(conn, last)?;
    }
    audit::remove(conn, first, last)
}
