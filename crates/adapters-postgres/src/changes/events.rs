//! Writes the audit events of a transaction. A [sealer](super::seal) numbers and seals them later.

use crate::{
    error::StorageError,
    tables::{audit, audit_pending, recorded},
    written::{WrittenEvent, WrittenEvents},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{AuditContext, AuditEvent, AuditRow, ChainEnd, PendingEvent, SealedRow},
    changes::DirectChange,
    ports::AuditSealer,
};
use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Writes the audit events of a transaction. This MUST be its last step. Clones write the events of
/// the same transaction.
#[derive(Clone)]
pub struct EventWriter {
    context: AuditContext,
    sealer: Arc<dyn AuditSealer>,
    written: Arc<WrittenEvents>,
    /// The events of the transaction. Only COMMIT follows them, and is not repeated if it fails.
    uncommitted: Arc<Mutex<Vec<WrittenEvent>>>,
}

impl EventWriter {
    /// Creates a writer that records `context` with each event, authenticates it with `sealer`, and
    /// adds it to `written` once it is committed.
    pub fn new(context: AuditContext, sealer: &Arc<dyn AuditSealer>, written: &Arc<WrittenEvents>) -> Self {
        Self {
            context,
            sealer: Arc::clone(sealer),
            written: Arc::clone(written),
            uncommitted: Arc::default(),
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
        let seqs = audit_pending::insert(conn, &pending).await?;
        self.wrote(&pending, &seqs);
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
        let pending = [self.pending(&event)];
        let seq = recorded::write(conn, change, &pending[0]).await?;
        if let Some(seq) = seq {
            self.wrote(&pending, &[seq]);
        }
        Ok(seq.is_some())
    }

    /// Watches the events that were written. The caller MUST know that they were committed.
    pub fn committed(&self) {
        self.written.watch(mem::take(&mut *self.uncommitted()));
    }

    fn wrote(&self, pending: &[PendingEvent], seqs: &[i64]) {
        let events = pending.iter().zip(seqs).filter_map(|(event, &seq)| {
            let (mac, at) = (event.mac?, event.row.at);
            Some(WrittenEvent { mac, seq, at })
        });
        *self.uncommitted() = events.collect();
        self.written.notify.notify_one();
    }

    fn uncommitted(&self) -> MutexGuard<'_, Vec<WrittenEvent>> {
        self.uncommitted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pending(&self, event: &AuditEvent) -> PendingEvent {
        PendingEvent::new(event, &self.context, &*self.sealer)
    }

    /// Seals `event` and appends it after `head`, the end of the chain; returns the new end. The
    /// transaction MUST have locked the chain.
    pub async fn append(
        &self,
        conn: &mut AsyncPgConnection,
        head: ChainEnd,
        event: &AuditEvent,
    ) -> Result<ChainEnd, StorageError> {
        let row = AuditRow::new(head.next(), event, &self.context);
        let sealed = SealedRow::after(head, row, &*self.sealer);
        let head = sealed.end();
        audit::append(conn, &[sealed], head, None).await?;
        Ok(head)
    }
}
