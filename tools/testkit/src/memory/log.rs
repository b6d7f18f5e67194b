//! The audit log as a chain of sealed rows.

use domain::{
    audit::{AuditContext, AuditEvent, AuditNumber, AuditRow, ChainEnd, ChainEnds, SealedRow},
    changes::{TrimChange, TrimFacts},
    ports::AuditSealer,
};
use std::sync::Arc;

pub(super) struct Log {
    sealer: Arc<dyn AuditSealer>,
    ends: ChainEnds,
    /// In ascending order of their numbers.
    rows: Vec<SealedRow>,
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
        let sealed = SealedRow::after(self.ends.head, row, &*self.sealer);
        self.ends.head = sealed.end();
        self.rows.push(sealed);
    }

    /// Returns the row of event `number`, for a test to change.
    pub(super) fn row_mut(&mut self, number: AuditNumber) -> Option<&mut AuditRow> {
        let mut rows = self.rows.iter_mut().map(|sealed| &mut sealed.row);
        rows.find(|row| row.number == number)
    }

    pub(super) fn ends(&self) -> ChainEnds {
        self.ends
    }

    pub(super) fn rows(&self) -> &[SealedRow] {
        &self.rows
    }

    pub(super) fn trim_facts(&self, limit: u32) -> TrimFacts {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let oldest = self.rows.iter().take(limit);
        TrimFacts {
            ends: self.ends,
            oldest: oldest.map(|sealed| (sealed.row.number, sealed.row.at)).collect(),
        }
    }

    pub(super) fn trim(&mut self, change: &TrimChange, context: &AuditContext) {
        let (_, last) = change.remove;
        if change.moves_base
            && let Some(base) = self.end_of(last)
        {
            self.ends.base = base;
        }
        self.rows.retain(|sealed| sealed.row.number > last);
        self.append(&change.event, context);
    }

    fn end_of(&self, number: AuditNumber) -> Option<ChainEnd> {
        let sealed = self.rows.iter().find(|sealed| sealed.row.number == number)?;
        Some(sealed.end())
    }
}
