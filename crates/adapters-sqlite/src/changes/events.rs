//! Audit events, sealed and written in the transaction of the change that they record.

use crate::{error::StorageError, tables::audit};
use diesel::SqliteConnection;
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow},
    ports::AuditSealer,
};
use std::slice;

/// Seals `event` and appends it to the audit log.
pub fn write(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    context: &AuditContext,
    event: &AuditEvent,
) -> Result<(), StorageError> {
    write_all(conn, sealer, context, slice::from_ref(event))
}

/// Seals `events` in their order and appends them to the audit log.
pub fn write_all(
    conn: &mut SqliteConnection,
    sealer: &dyn AuditSealer,
    context: &AuditContext,
    events: &[AuditEvent],
) -> Result<(), StorageError> {
    let mut head = audit::ends(conn)?.head;
    for event in events {
        let row = AuditRow::new(head.next(), event, context);
        head = head.seal_next(&row, sealer);
        audit::insert(conn, &row, &head.seal)?;
    }
    audit::set_head(conn, &head)
}
