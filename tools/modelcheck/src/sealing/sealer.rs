//! The steps of a sealer's transaction.

use super::{
    bounds::Bounds,
    change::Change,
    mutant::Mutant,
    state::{Chain, SealedEvent, State},
};
use chrono::DateTime;
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditKeyId, AuditMac, AuditNumber, Authenticity,
        ChainEnd, Origin, PendingEvent, Seal, SealedRow, Unsealed, seal_pending,
    },
    ports::AuditSealer,
    session::SessionId,
};
use uuid::Uuid;

/// Which pending events a sealer looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Look {
    /// Those in the ranges of the chain.
    New,
    All,
}

/// A transaction of a sealer, after each of its steps. The pending rows are given by their changes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Sealer {
    Locked {
        chain: Chain,
        look: Look,
    },
    Taken {
        chain: Chain,
        taken: Vec<usize>,
    },
    Appended {
        chain: Chain,
        taken: Vec<usize>,
        events: Vec<SealedEvent>,
    },
    /// The transaction has committed and has not removed the pending rows, which only a mutant
    /// does.
    Committed {
        taken: Vec<usize>,
    },
}

impl Sealer {
    /// Returns the changes whose pending rows the transaction has removed or will remove.
    pub fn taken(&self) -> &[usize] {
        match self {
            Self::Locked { .. } => &[],
            Self::Taken { taken, .. } | Self::Appended { taken, .. } | Self::Committed { taken } => taken,
        }
    }

    /// Returns whether the transaction has locked the chain.
    pub fn holds_chain(&self) -> bool {
        !matches!(self, Self::Committed { .. })
    }
}

/// Returns the changes whose pending rows one statement removes: the lowest `limit` of those that
/// the look finds.
pub fn select(state: &State, chain: &Chain, look: Look, limit: usize, mutant: Option<Mutant>) -> Vec<usize> {
    let ranges = ranges(state, chain, look, mutant);
    let pending = |(index, change): (usize, &Change)| Some((change.pending(mutant)?, index));
    let pending = state.changes.iter().enumerate().filter_map(pending);
    let mut found: Vec<_> = pending.filter(|&(seq, _)| contains(&ranges, seq)).collect();
    found.sort_unstable();
    if mutant == Some(Mutant::LimitWithoutOrder) {
        // Without an order, the server may return these first.
        found.reverse();
    }
    found.truncate(limit);
    found.sort_unstable();
    found.into_iter().map(|(_, index)| index).collect()
}

/// Returns whether `seq` is in one of the ranges.
pub fn contains(ranges: &Unsealed, seq: i64) -> bool {
    let (lowest, highest) = (ranges.lowest(), ranges.highest());
    let mut ends = lowest.iter().zip(&highest);
    ends.any(|(lowest, highest)| (lowest..=highest).contains(&&seq))
}

fn ranges(state: &State, chain: &Chain, look: Look, mutant: Option<Mutant>) -> Unsealed {
    match (mutant, look) {
        (Some(Mutant::Watermark), _) | (Some(Mutant::RangesOnlyAboveTheHighest), Look::New) => {
            let removed = state.changes.iter().filter(|change| change.is_removed);
            let highest = removed.filter_map(|change| change.seq).max();
            Unsealed::between(&[highest.map_or(i64::MIN, |seq| seq + 1)], &[i64::MAX])
        }
        (_, Look::New) => chain.unsealed.clone(),
        (_, Look::All) => Unsealed::all(),
    }
}

/// Numbers the events of `taken` after the head of `chain`. Returns them with the chain after them.
pub fn append(
    chain: &Chain,
    changes: &[Change],
    taken: &[usize],
    bounds: &Bounds,
    mutant: Option<Mutant>,
) -> (Vec<SealedEvent>, Chain) {
    let head = ChainEnd {
        number: AuditNumber(chain.head),
        seal: Seal::NONE,
    };
    let context = AuditContext::new(DateTime::UNIX_EPOCH, Actor::Operator, Origin::default());
    let events = taken.iter().map(|&change| pending_event(change, &context));
    let batch = seal_pending(head, events.collect(), &NoSeals, &context);
    let seqs: Vec<_> = taken
        .iter()
        .filter_map(|&change| changes.get(change)?.seq)
        .collect();
    let unsealed = match mutant {
        Some(Mutant::DroppedRanges) => highest(&chain.unsealed.without(&seqs, usize::MAX), bounds.ranges),
        _ => chain.unsealed.without(&seqs, bounds.ranges),
    };
    let next = Chain {
        head: batch.head.number.0,
        unsealed,
    };
    (batch.rows.iter().map(SealedEvent::from).collect(), next)
}

/// Returns the highest `most` of the ranges.
fn highest(ranges: &Unsealed, most: usize) -> Unsealed {
    let last = |mut ends: Vec<i64>| ends.split_off(ends.len().saturating_sub(most));
    Unsealed::between(&last(ranges.lowest()), &last(ranges.highest()))
}

/// Returns the event of a change. Its session names the change.
fn pending_event(change: usize, context: &AuditContext) -> PendingEvent {
    let id = u128::try_from(change).expect("an index fits into 128 bits");
    let event = AuditEvent::new(AuditAction::SessionEnded).in_session(SessionId(Uuid::from_u128(id)));
    PendingEvent::new(&event, context, &NoSeals)
}

impl From<&SealedRow> for SealedEvent {
    fn from(sealed: &SealedRow) -> Self {
        let id = sealed.row.session_id.expect("the event names its change");
        Self {
            number: sealed.row.number.0,
            change: usize::try_from(id.as_u128()).expect("the id is an index"),
        }
    }
}

/// Accepts every event. Seals and MACs are not part of the model.
struct NoSeals;

impl AuditSealer for NoSeals {
    fn seal(&self, _: &Seal, _: &[u8]) -> Seal {
        Seal::NONE
    }

    fn mac(&self, _: &[u8]) -> AuditMac {
        AuditMac {
            key: AuditKeyId([0; 8]),
            code: [0; 32],
        }
    }

    fn check(&self, _: &[u8], _: &AuditMac) -> Authenticity {
        Authenticity::Valid
    }
}
