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
    /// A version before MACs may have written the events up to this one. They may lack a MAC, and
    /// must not have one of another key.
    MissingUpTo(AuditNumber),
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
        let (covered, old) = match self.macs {
            MacRule::Unchecked => return Ok(()),
            MacRule::RequiredAfter(covered) => (covered, covered),
            MacRule::MissingUpTo(old) => (ChainEnd::START.number, old),
        };
        let number = row.row.number;
        let bytes = row.end().authenticated_bytes();
        match row.mac.map(|mac| (mac.key, self.sealer.check(&bytes, &mac))) {
            Some((_, Authenticity::Valid)) => Ok(()),
            Some((_, Authenticity::Wrong)) => Err(Broken::WrongMac(number)),
            Some((_, Authenticity::UnknownKey)) if number <= covered => Ok(()),
            None if number <= old => Ok(()),
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
    /// The events that were forged while they were pending, and not accepted by the operator since.
    forged: Vec<AuditNumber>,
    /// The last event that was reported as forged.
    reported: Option<AuditNumber>,
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
            forged: Vec::new(),
            reported: None,
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
        self.note_reports(&row.row);
        self.evidence.check_position(row.end())
    }

    /// Verifies both ends of the log, after the last row.
    ///
    /// # Errors
    /// Returns [`Broken`] if rows are missing at either end, or the stored head has another seal.
    pub fn finish(self) -> Result<ChainEnd, Broken> {
        let head = self.rows.finish()?;
        if !self.is_base_justified {
            return Err(Broken::BaseMoved(self.base.number));
        }
        match self.forged.first() {
            Some(number) => Err(Broken::ForgedPending(*number)),
            None => Ok(head),
        }
    }

    /// Evaluates what the log reports about itself. An event that was forged reports nothing.
    fn note_reports(&mut self, row: &AuditRow) {
        if self.reported == Some(row.number) {
            return;
        }
        match AuditAction::from_name(&row.action) {
            Some(AuditAction::AuditLogTrimmed) => {
                self.is_base_justified |= number_in(row, "through") == Some(self.base.number);
            }
            Some(AuditAction::PendingEventForged) => {
                self.reported = reported_as_forged(row);
                self.forged.extend(self.reported);
            }
            Some(AuditAction::AuditLogAccepted) => self.accept(row),
            _ => {}
        }
    }

    /// Forgets the forged events that the operator accepted: those up to the end of the log that
    /// `row` names. A copy of an older acceptance names an older end.
    fn accept(&mut self, row: &AuditRow) {
        let accepted = text_in(row, "head").and_then(|head| {
            let (number, _) = head.split_once(':')?;
            number.parse().ok().map(AuditNumber)
        });
        self.forged.retain(|number| Some(*number) > accepted);
    }
}

/// Returns whether `base` is the start of a chain. The events up to it, if there are any, are older
/// than the chain and have no seals.
fn is_start_of_chain(base: ChainEnd) -> bool {
    base.seal == Seal::NONE
}

/// Returns the number of the event that `row` reports as forged while it was pending. That event is
/// the next one, has a valid MAC, and proves nothing.
#[must_use]
pub fn reported_as_forged(row: &AuditRow) -> Option<AuditNumber> {
    let is_report = AuditAction::from_name(&row.action) == Some(AuditAction::PendingEventForged);
    is_report.then(|| number_in(row, "number")).flatten()
}

/// Returns the number of an event that the details of `row` contain under `key`.
fn number_in(row: &AuditRow, key: &str) -> Option<AuditNumber> {
    text_in(row, key)?.parse().ok().map(AuditNumber)
}

fn text_in(row: &AuditRow, key: &str) -> Option<String> {
    let mut record = AuditRecord::try_from(row.clone()).ok()?;
    record.event.details.remove(key)
}

#[cfg(test)]
mod tests;
