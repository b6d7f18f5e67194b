//! The verification of the audit log, as a pure function of what was read.

use super::{
    AuditAction, AuditNumber, AuditRecord, AuditRow, Authenticity, Broken, ChainEnd, ChainEnds, ChainReader,
    Evidence, Seal, SealedRow,
};
use crate::ports::AuditSealer;

/// Which rows need a valid MAC. A MAC under the present key that is wrong is always refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacRule {
    /// None, because the verifier has no audit key.
    Unchecked,
    /// Those after this event. A checkpoint vouches for the ones up to it.
    RequiredAfter(AuditNumber),
}

/// Verifies a part of the log: consecutive rows, with their seals and MACs.
pub struct SpanVerifier<'a> {
    chain: ChainReader<'a>,
    sealer: &'a dyn AuditSealer,
    macs: MacRule,
}

impl<'a> SpanVerifier<'a> {
    /// Creates a verifier of the rows between `ends`.
    #[must_use]
    pub fn new(ends: ChainEnds, sealer: &'a dyn AuditSealer, macs: MacRule) -> Self {
        Self {
            chain: ChainReader::new(ends, sealer),
            sealer,
            macs,
        }
    }

    /// Returns the last position that was verified.
    #[must_use]
    pub fn last(&self) -> ChainEnd {
        self.chain.last()
    }

    /// Verifies `row`, the row with the next higher number.
    ///
    /// # Errors
    /// Returns [`Broken`] if the row does not continue the chain or its MAC is refused.
    pub fn follow(&mut self, row: &SealedRow) -> Result<(), Broken> {
        self.chain.follow(&row.row, row.seal)?;
        self.check_mac(row)
    }

    /// Verifies that the rows end at the head.
    ///
    /// # Errors
    /// Returns [`Broken`] if rows are missing at the end, or the stored head has another seal.
    pub fn finish(self) -> Result<ChainEnd, Broken> {
        self.chain.finish()
    }

    fn check_mac(&self, row: &SealedRow) -> Result<(), Broken> {
        let MacRule::RequiredAfter(covered) = self.macs else {
            return Ok(());
        };
        let number = row.row.number;
        let bytes = row.end().authenticated_bytes();
        match row.mac.map(|mac| (mac.key, self.sealer.check(&bytes, &mac))) {
            Some((_, Authenticity::Valid)) => Ok(()),
            Some((_, Authenticity::Wrong)) => Err(Broken::WrongMac(number)),
            None | Some((_, Authenticity::UnknownKey)) if number <= covered => Ok(()),
            Some((key, Authenticity::UnknownKey)) => Err(Broken::UnknownKey(number, key)),
            None => Err(Broken::NoMac(number)),
        }
    }
}

/// Verifies the whole log: its rows, both ends, and the witnesses.
pub struct LogVerifier<'a> {
    rows: SpanVerifier<'a>,
    base: ChainEnd,
    is_base_justified: bool,
    evidence: &'a Evidence,
}

impl<'a> LogVerifier<'a> {
    /// Creates a verifier at the base of the chain.
    ///
    /// # Errors
    /// Returns [`Broken`] if a witness covers events after the head, or the base has another seal.
    pub fn new(
        ends: ChainEnds,
        evidence: &'a Evidence,
        sealer: &'a dyn AuditSealer,
        macs: MacRule,
    ) -> Result<Self, Broken> {
        evidence.check_reach(ends.head)?;
        evidence.check_position(ends.base)?;
        Ok(Self {
            rows: SpanVerifier::new(ends, sealer, macs),
            base: ends.base,
            is_base_justified: is_start_of_chain(ends.base),
            evidence,
        })
    }

    /// Returns the last position that was verified.
    #[must_use]
    pub fn last(&self) -> ChainEnd {
        self.rows.last()
    }

    /// Verifies `row`, the row with the next higher number.
    ///
    /// # Errors
    /// Returns [`Broken`] if the row is not the one that was written.
    pub fn follow(&mut self, row: &SealedRow) -> Result<(), Broken> {
        self.rows.follow(row)?;
        self.is_base_justified |= trimmed_through(&row.row) == Some(self.base.number);
        self.evidence.check_position(row.end())
    }

    /// Verifies both ends of the log, after the last row.
    ///
    /// # Errors
    /// Returns [`Broken`] if rows are missing at either end, or the stored head has another seal.
    pub fn finish(self) -> Result<ChainEnd, Broken> {
        let head = self.rows.finish()?;
        if self.is_base_justified {
            Ok(head)
        } else {
            Err(Broken::BaseMoved(self.base.number))
        }
    }
}

/// Returns whether `base` is the start of a chain. The events up to it, if there are any, are older
/// than the chain and have no seals.
fn is_start_of_chain(base: ChainEnd) -> bool {
    base.seal == Seal::NONE
}

/// Returns the last event that retention removed, if `row` records a removal.
fn trimmed_through(row: &AuditRow) -> Option<AuditNumber> {
    if row.action != AuditAction::AuditLogTrimmed.as_str() {
        return None;
    }
    let record = AuditRecord::try_from(row.clone()).ok()?;
    record.event.details.get("through")?.parse().ok().map(AuditNumber)
}

#[cfg(test)]
mod tests;
