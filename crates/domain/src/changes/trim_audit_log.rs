use crate::audit::{AuditAction, AuditEvent, AuditNumber, ChainEnds};
use chrono::{DateTime, Utc};

/// Removes the oldest events of the audit log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimAuditLog {
    /// Remove events from before this instant.
    pub before: DateTime<Utc>,
    /// The most events to remove.
    pub limit: u32,
}

/// What trimming reads. No event may be added until the transaction ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimFacts {
    pub ends: ChainEnds,
    /// The oldest events with their times, lowest number first, at most [`TrimAuditLog::limit`].
    pub oldest: Vec<(AuditNumber, DateTime<Utc>)>,
}

/// What to write, as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrimChange {
    /// The first and the last event to remove.
    pub remove: (AuditNumber, AuditNumber),
    /// How many events are removed.
    pub count: u64,
    /// Whether the last of them becomes the base of the chain, with its seal as it is stored. Events from before the
    /// chain began precede its base, and leave it where it is.
    pub moves_base: bool,
    pub event: AuditEvent,
}

impl TrimAuditLog {
    /// Decides which events to remove, if any. The last event of the log stays.
    #[must_use]
    pub fn decide(&self, facts: &TrimFacts) -> Option<TrimChange> {
        let outdated: Vec<AuditNumber> = facts
            .oldest
            .iter()
            .take_while(|(number, at)| *number < facts.ends.head.number && *at < self.before)
            .map(|(number, _)| *number)
            .collect();
        let (first, last) = (*outdated.first()?, *outdated.last()?);
        let count = outdated.len() as u64;
        Some(TrimChange {
            remove: (first, last),
            count,
            moves_base: last > facts.ends.base.number,
            event: AuditEvent::new(AuditAction::AuditLogTrimmed)
                .with("count", count)
                .with("through", last),
        })
    }
}
