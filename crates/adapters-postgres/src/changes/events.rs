//! Seals each audit event together with the seal of its predecessor, and writes it.

use crate::{error::StorageError, tables::audit};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, ChainEnd, SealedRow},
    ports::AuditSealer,
    session::{EndReason, SessionId},
};
use std::{slice, sync::Arc};

/// Writes the audit events of a transaction. This MUST be the last step of the transaction, because
/// it locks the audit chain, and every other transaction that writes an event waits for that lock.
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

    /// Locks the chain and appends `events`, if there are any.
    pub async fn write(
        &self,
        conn: &mut AsyncPgConnection,
        events: &[AuditEvent],
    ) -> Result<(), StorageError> {
        if events.is_empty() {
            return Ok(());
        }
        let head = audit::lock_ends(conn).await?.head;
        self.append(conn, head, events).await
    }

    /// Ends a session, locks the chain in the same statement, and appends `event`. The transaction
    /// MUST hold the session's row for update.
    pub async fn end_and_write(
        &self,
        conn: &mut AsyncPgConnection,
        session: SessionId,
        reason: EndReason,
        event: &AuditEvent,
    ) -> Result<(), StorageError> {
        let ends = audit::lock_ends_and_end_session(conn, session, reason, self.at()).await?;
        self.append(conn, ends.head, slice::from_ref(event)).await
    }

    /// Appends `events` after `head`, the end of the chain. The transaction MUST have locked the
    /// chain.
    pub async fn append(
        &self,
        conn: &mut AsyncPgConnection,
        mut head: ChainEnd,
        events: &[AuditEvent],
    ) -> Result<(), StorageError> {
        let sealed: Vec<_> = events
            .iter()
            .map(|event| {
                let row = AuditRow::new(head.next(), event, &self.context);
                let sealed = SealedRow::after(head, row, &*self.sealer);
                head = sealed.end();
                sealed
            })
            .collect();
        audit::append(conn, &sealed, head).await
    }
}
