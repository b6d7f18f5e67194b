//! Numbers and seals pending events. Any number of replicas may do this at once: the lock of the
//! chain admits one of them, and a replica that fails leaves the events to the others.

use crate::{
    error::StorageError,
    tables::{audit, audit_pending, clock},
};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{Actor, AuditContext, AuditNumber, Origin, seal_pending},
    ports::AuditSealer,
};

/// The maximum number of events that one transaction seals.
const BATCH: u32 = 1_000;

/// Whether to wait while another transaction holds the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainLock {
    Wait,
    Skip,
}

/// The outcome of sealing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedEvents {
    /// The events that were forged, or edited before they were sealed.
    pub forged: Vec<AuditNumber>,
    /// Whether more events may be pending.
    pub may_continue: bool,
}

/// Seals the oldest pending events. Locks the chain before it reads them: the statement that takes
/// them must see every event that was committed before the lock was free.
pub async fn seal(
    conn: &mut AsyncPgConnection,
    sealer: &dyn AuditSealer,
    lock: ChainLock,
) -> Result<SealedEvents, StorageError> {
    let ends = match lock {
        ChainLock::Wait => Some(audit::lock_ends(conn).await?),
        ChainLock::Skip => audit::try_lock_ends(conn).await?,
    };
    let Some(ends) = ends else {
        return Ok(SealedEvents::default());
    };
    let pending = audit_pending::take(conn, BATCH).await?;
    if pending.is_empty() {
        return Ok(SealedEvents::default());
    }
    let may_continue = pending.len() >= BATCH as usize;
    let context = AuditContext::new(clock::now(conn).await?, Actor::Operator, Origin::default());
    let batch = seal_pending(ends.head, pending, sealer, &context);
    audit::append(conn, &batch.rows, batch.head).await?;
    Ok(SealedEvents {
        forged: batch.forged,
        may_continue,
    })
}
