//! A row with the proof of its place and of its author.

use super::{AuditMac, AuditRow, ChainEnd, Seal};
use crate::ports::AuditSealer;

/// A row of the audit log as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedRow {
    pub row: AuditRow,
    pub seal: Seal,
    /// The MAC of [`ChainEnd::authenticated_bytes`] at this row; `None` for a row that a version
    /// without the audit key wrote.
    pub mac: Option<AuditMac>,
}

impl SealedRow {
    /// Seals `row`, which MUST have the number that follows `previous`.
    #[must_use]
    pub fn after(previous: ChainEnd, row: AuditRow, sealer: &dyn AuditSealer) -> Self {
        let end = previous.seal_next(&row, sealer);
        Self {
            row,
            seal: end.seal,
            mac: Some(sealer.mac(&end.authenticated_bytes())),
        }
    }

    /// Returns the position of the row.
    #[must_use]
    pub fn end(&self) -> ChainEnd {
        ChainEnd {
            number: self.row.number,
            seal: self.seal,
        }
    }
}
