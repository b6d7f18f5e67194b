//! Writes the audit events of a transaction. A [sealer](super::seal) numbers and seals them later.

use crate::{
    error::StorageError,
    tables::{audit, audit_pending, recorded},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, ChainEnd, PendingEvent, SealedRow},
    changes::DirectChange,
    ports::AuditSealer,
};
use std::sync::Arc;
use tokio::sync::Notify;

/// Writes the audit events of a transaction. This MUST be its last step.
pub struct EventWriter {
    context: AuditContext,
    sealer: Arc<dyn AuditSealer>,
    written: Arc<Notify>,
}

impl EventWriter {
    /// Creates a writer that records `context` with each event, authenticates it with `sealer`, and
    /// notifies `written`.
    pub fn new(context: AuditContext, sealer: &Arc<dyn AuditSealer>, written: &Arc<Notify>) -> Self {
        Self {
            context,
            sealer: Arc::clone(sealer),
            written: Arc::clone(written),
        }
    }

    /// Returns the time of the transaction's change.
    pub fn at(&self) -> DateTime<Utc> {
        self.context.at
    }

    /// Stores `events`, if there are any, for a sealer.
    pub async fn write(
        &self,
        conn: &mut AsyncPgConnection,
        events: &[AuditEvent],
    ) -> Result<(), StorageError> {
        if events.is_empty() {
            return Ok(());
        }
        let pending: Vec<_> = events.iter().map(|event| self.pending(event)).collect();
        audit_pending::insert(conn, &pending).await?;
        self.written.notify_one();
        Ok(())
    }

    /// Makes `change` together with its event, in one statement. Returns whether it did: if not, it
    /// wrote nothing.
    pub async fn write_with(
        &self,
        conn: &mut AsyncPgConnection,
        change: &DirectChange,
    ) -> Result<bool, StorageError> {
        let Some(event) = change.event() else {
            return Ok(false);
        };
        let written = recorded::write(conn, change, &self.pending(&event)).await?;
        if written.is_some() {
            self.written.notify_one();
        }
        Ok(written.is_some())
    }

    fn pending(&self, event: &AuditEvent) -> PendingEvent {
        PendingEvent::new(event, &self.context, &*self.sealer)
    }

    /// Seals `event` and appends it after `head`, the end of the chain. The transaction MUST have
    /// locked the chain.
    pub async fn append(
        &self,
        conn: &mut AsyncPgConnection,
        head: ChainEnd,
        event: &AuditEvent,
    ) -> Result<(), StorageError> {
        let row = AuditRow::new(head.next(), event, &self.context);
        let sealed = SealedRow::after(head, row, &*self.sealer);
        let head = sealed.end();
        audit::append(conn, &[sealed], head, None).await
    }
}
