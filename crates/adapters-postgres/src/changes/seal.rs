//! Numbers and seals pending events. Any number of replicas may do this at once: the lock of the
//! chain admits one of them, and a replica that fails leaves the events to the others.

use crate::{
    error::StorageError,
    tables::{
        audit,
        audit_pending::{self, Look},
    },
};
use diesel_async::AsyncPgConnection;
use domain::{
    audit::{Actor, AuditContext, AuditMac, AuditNumber, Origin, Unsealed, seal_pending},
    ports::AuditSealer,
};

/// The maximum number of ranges in which events may be pending. It bounds the cost of a look: each
/// range is one search in the index.
const MAX_RANGES: usize = 250;

/// Whether to wait while another transaction holds the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainLock {
    Wait,
    Skip,
}

/// Which events to seal in one transaction.
#[derive(Clone, Copy, Debug)]
pub struct SealRequest {
    pub lock: ChainLock,
    pub look: Look,
    /// The maximum number of events.
    pub limit: u32,
}

/// The outcome of sealing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SealedEvents {
    /// The number of events, without reports.
    pub count: usize,
    /// The MACs of their pending forms, as they were stored.
    pub macs: Vec<AuditMac>,
    /// The events that were forged, or edited before they were sealed.
    pub forged: Vec<AuditNumber>,
    /// Whether more events may be pending.
    pub may_continue: bool,
}

/// Seals pending events. Locks the chain before it reads them: the statement that takes them must
/// see every event that was committed before the lock was free.
pub async fn seal(
    conn: &mut AsyncPgConnection,
    sealer: &dyn AuditSealer,
    request: SealRequest,
) -> Result<SealedEvents, StorageError> {
    let SealRequest { lock, look, limit } = request;
    let Some(chain) = audit::lock_to_seal(conn, lock == ChainLock::Skip).await? else {
        return Ok(SealedEvents::default());
    };
    let all = Unsealed::all();
    let range = match look {
        Look::New => &chain.unsealed,
        Look::All => &all,
    };
    let taken = audit_pending::take(conn, range, limit).await?;
    let count = taken.events.len();
    if count == 0 {
        return Ok(SealedEvents::default());
    }
    let macs = taken.events.iter().filter_map(|event| event.mac).collect();
    let context = AuditContext::new(chain.at, Actor::Operator, Origin::default());
    let batch = seal_pending(chain.ends.head, taken.events, sealer, &context);
    let unsealed = chain.unsealed.without(&taken.seqs, MAX_RANGES);
    audit::append(conn, &batch.rows, batch.head, Some(&unsealed)).await?;
    Ok(SealedEvents {
        count,
        macs,
        forged: batch.forged,
        may_continue: count >= limit as usize,
    })
}
