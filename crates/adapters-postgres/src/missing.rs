//! Finds out whether the events that this process has written are pending or sealed. Another
//! program can delete a pending event.

use crate::{
    PostgresStorage,
    error::StorageError,
    tables::{audit, audit_pages, audit_pending},
    written::{Found, WrittenEvent},
};
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::PendingEvent,
    ports::{AuditSealer, PortError},
};

/// The maximum number of events that one check looks for.
const MAX_CHECKED: usize = 5_000;

impl PostgresStorage {
    /// Returns events that this process has committed and that are neither pending nor sealed, nor
    /// so old at `now` that retention may have removed them. They are returned until they are
    /// [forgotten](Self::forget_missing).
    ///
    /// # Errors
    /// Returns a [`PortError`] if the database fails.
    pub async fn find_missing(&self, now: DateTime<Utc>) -> Result<Vec<WrittenEvent>, PortError> {
        if !self.written.needs_check() {
            return Ok(Vec::new());
        }
        let checked = self.written.oldest(MAX_CHECKED);
        let input = (checked.clone(), self.sealer.clone());
        // A pooler keeps a transaction on one server.
        let found = self
            .database
            .write(input, |conn, (events, sealer)| {
                Box::pin(find(conn, events, &**sealer))
            })
            .await?;
        Ok(self.written.missing(checked, &found, now))
    }

    /// Stops watching `events`.
    pub fn forget_missing(&self, events: &[WrittenEvent]) {
        self.written.forget(events.iter().map(|event| event.mac));
    }
}

/// Looks for `events` among the pending ones first: one that is sealed meanwhile is found in the
/// log then. Retention moves the base before it removes it from there.
async fn find(
    conn: &mut AsyncPgConnection,
    events: &[WrittenEvent],
    sealer: &dyn AuditSealer,
) -> Result<Found, StorageError> {
    let seqs: Vec<i64> = events.iter().map(|event| event.seq).collect();
    let pending = audit_pending::macs(conn, &seqs).await?;
    let left = events.iter().filter(|event| !pending.contains(&event.mac));
    let rows = audit_pages::rows_at(conn, left.map(|event| event.at).collect()).await?;
    let in_log = rows
        .into_iter()
        .filter_map(|row| PendingEvent::of(row, sealer).mac);
    Ok(Found {
        sealed: in_log.collect(),
        pending,
        base: audit::ends(conn).await?.base.number,
    })
}
