//! The audit trail as a chain of sealed rows.

use chrono::{DateTime, Utc};
use domain::{
    audit::{AuditContext, AuditEvent, AuditNumber, AuditRow, ChainEnd, ChainEnds, Seal},
    ports::AuditSealer,
};
use std::sync::Arc;

#[derive(Clone)]
pub(super) struct Trail {
    sealer: Arc<dyn AuditSealer>,
    ends: ChainEnds,
    /// Lowest number first.
    rows: Vec<(AuditRow, Seal)>,
}

impl Trail {
    pub(super) fn new(sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            sealer,
            ends: ChainEnds {
                base: ChainEnd::START,
                head: ChainEnd::START,
            },
            rows: Vec::new(),
        }
    }

    pub(super) fn append(&mut self, event: &AuditEvent, context: &AuditContext) {
        let row = AuditRow::new(self.ends.head.next(), event, context);
        self.ends.head = self.ends.head.seal_next(&row, &*self.sealer);
        self.rows.push((row, self.ends.head.seal));
    }

    pub(super) fn ends(&self) -> ChainEnds {
        self.ends
    }

    pub(super) fn rows(&self) -> &[(AuditRow, Seal)] {
        &self.rows
    }

    /// Removes the oldest rows, at most `limit`, from before `before`, but never the last one; how many, and the last
    /// that went.
    pub(super) fn trim(&mut self, before: DateTime<Utc>, limit: usize) -> Option<(usize, AuditNumber)> {
        let all_but_the_last = self.rows.len().saturating_sub(1);
        let count = self
            .rows
            .iter()
            .take(limit.min(all_but_the_last))
            .take_while(|(row, _)| row.at < before)
            .count();
        let (row, seal) = self.rows.drain(..count).next_back()?;
        let number = row.number;
        self.ends.base = ChainEnd { number, seal };
        Some((count, number))
    }
}
