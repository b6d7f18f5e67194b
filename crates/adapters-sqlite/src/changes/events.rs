//! Seals audit events and writes them in the transaction of the change that they record.

use crate::{error::StorageError, tables::audit};
use chrono::{DateTime, Utc};
use diesel::SqliteConnection;
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, SealedRow},
    ports::AuditSealer,
};
use std::sync::Arc;

/// Writes the audit events of a transaction.
pub struct EventWriter {
    context: AuditContext,
    sealer: Arc<dyn AuditSealer>,
}

impl EventWriter {
    /// Creates a writer that records `context` with each event and seals it with `sealer`.
    pub fn new(context: AuditContext, sealer: &Arc<dyn AuditSealer>) -> Self {
        Self {
            context,
            sealer: Arc::clone(sealer),
        }
    }

    /// Returns the time of the transaction's change.
    pub fn at(&self) -> DateTime<Utc> {
        self.context.at
    }

    /// Seals `events`, if there are any, in their order and appends them to the audit log.
    pub fn write(&self, conn: &mut SqliteConnection, events: &[AuditEvent]) -> Result<(), StorageError> {
        if events.is_empty() {
            return Ok(());
        }
        let mut head = audit::ends(conn)?.head;
        for event in events {
            let row = AuditRow::new(head.next(), event, &self.context);
            let sealed = SealedRow::after(head, row, &*self.sealer);
            audit::insert(conn, &sealed)?;
            head = sealed.end();
        }
        audit::set_head(conn, &head)
    }
}
