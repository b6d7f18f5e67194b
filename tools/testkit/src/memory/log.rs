//! The audit log as a chain of sealed rows.

use domain::{
    audit::{AuditContext, AuditEvent, AuditNumber, AuditRow, ChainEnd, ChainEnds, Seal},
    changes::{TrimChange, TrimFacts},
    ports::AuditSealer,
};
use std::sync::Arc;

pub(super) struct Log {
    sealer: Arc<dyn AuditSealer>,
    ends: ChainEnds,
    /// In ascending order of their numbers.
    rows: Vec<(AuditRow, Seal)>,
}

impl Log {
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

    pub(super) fn trim_facts(&self, limit: u32) -> TrimFacts {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let oldest = self.rows.iter().take(limit);
        TrimFacts {
            ends: self.ends,
            oldest: oldest.map(|(row, _)| (row.number, row.at)).collect(),
        }
    }

    pub(super) fn trim(&mut self, change: &TrimChange, context: &AuditContext) {
        let (_, last) = change.remove;
        if change.moves_base
            && let Some(seal) = self.seal_of(last)
        {
            self.ends.base = ChainEnd { number: last, seal };
        }
        self.rows.retain(|(row, _)| row.number > last);
        self.append(&change.event, context);
    }

    fn seal_of(&self, number: AuditNumber) -> Option<Seal> {
        let (_, seal) = self.rows.iter().find(|(row, _)| row.number == number)?;
        Some(*seal)
    }
}
