//! The hash chain over the audit log. Each event is sealed together with the seal of its
//! predecessor, so changing, removing or reordering an event is detected unless every later event
//! is sealed again.

use super::{AuditNumber, AuditRow, Broken};
use crate::ports::AuditSealer;
use std::fmt;

/// The prefix of the bytes that the MAC of a sealed event covers.
const SEAL_FORM: &[u8] = b"authapi audit seal 1";

/// The seal of an event: a digest of the event and of its predecessor's seal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// The predecessor of the first event.
    pub const NONE: Self = Self([0; 32]);

    /// Returns the seal that is stored as `bytes`, or [`NONE`](Self::NONE) if these are not 32
    /// bytes, as after tampering: the next event then does not follow it.
    #[must_use]
    pub fn stored_as(bytes: &[u8]) -> Self {
        bytes.try_into().map_or(Self::NONE, Self)
    }
}

impl fmt::Display for Seal {
    /// Formats the seal as 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({self})")
    }
}

/// A position in the chain: an event's number and seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    pub number: AuditNumber,
    pub seal: Seal,
}

impl ChainEnd {
    /// The position before the first event.
    pub const START: Self = Self {
        number: AuditNumber(0),
        seal: Seal::NONE,
    };

    /// Returns the position of `row`, which follows this one.
    #[must_use]
    pub fn seal_next(self, row: &AuditRow, sealer: &dyn AuditSealer) -> Self {
        Self {
            number: row.number,
            seal: sealer.seal(&self.seal, &row.sealed_bytes()),
        }
    }

    /// Returns the number of the next event. A chain never reaches the highest number, unless its
    /// stored end was set to it: the next event then gets the same number, which storage refuses.
    #[must_use]
    pub fn next(self) -> AuditNumber {
        AuditNumber(self.number.0.saturating_add(1))
    }

    /// Returns the bytes that the MAC of the event at this position covers.
    #[must_use]
    pub fn authenticated_bytes(self) -> Vec<u8> {
        [SEAL_FORM, &self.number.0.to_be_bytes(), &self.seal.0].concat()
    }
}

/// The stored start and end of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnds {
    /// The last event removed by retention; [`ChainEnd::START`] if none was.
    pub base: ChainEnd,
    /// The last event.
    pub head: ChainEnd,
}

/// Verifies a chain from its base to its head.
pub struct ChainReader<'a> {
    sealer: &'a dyn AuditSealer,
    last: ChainEnd,
    head: ChainEnd,
}

impl<'a> ChainReader<'a> {
    /// Creates a reader at the base of the chain.
    #[must_use]
    pub fn new(ends: ChainEnds, sealer: &'a dyn AuditSealer) -> Self {
        Self {
            sealer,
            last: ends.base,
            head: ends.head,
        }
    }

    /// Returns the last position that was verified.
    #[must_use]
    pub fn last(&self) -> ChainEnd {
        self.last
    }

    /// Verifies `row`, the row with the next higher number, against its stored `seal`.
    ///
    /// # Errors
    /// Returns [`Broken`] if the chain is not intact at this row or before it.
    pub fn follow(&mut self, row: &AuditRow, seal: Seal) -> Result<(), Broken> {
        let expected = self.last.next();
        if row.number > expected {
            return Err(Broken::Missing(expected));
        }
        if row.number > self.head.number {
            return Err(Broken::Added(row.number));
        }
        let next = self.last.seal_next(row, self.sealer);
        if row.number < expected || next.seal != seal {
            return Err(Broken::Changed(row.number));
        }
        self.last = next;
        Ok(())
    }

    /// Verifies that the chain ends at its stored head, after the last row.
    ///
    /// # Errors
    /// Returns [`Broken`] if rows are missing at the end, or the stored head has another seal.
    pub fn finish(self) -> Result<ChainEnd, Broken> {
        if self.last.number < self.head.number {
            return Err(Broken::Missing(self.last.next()));
        }
        if self.last != self.head {
            return Err(Broken::HeadChanged(self.head.number));
        }
        Ok(self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin, fixtures::ToySeals};
    use chrono::DateTime;

    fn chain(length: i64) -> (ChainEnds, Vec<(AuditRow, Seal)>) {
        let context = AuditContext {
            at: DateTime::from_timestamp(1_000_000, 0).expect("chrono represents the second"),
            actor: Actor::Operator,
            origin: Origin::default(),
        };
        let mut head = ChainEnd::START;
        let rows = (0..length)
            .map(|count| {
                let event = AuditEvent::new(AuditAction::FailuresOmitted).with("count", count);
                let row = AuditRow::new(head.next(), &event, &context);
                head = head.seal_next(&row, &ToySeals(1));
                (row, head.seal)
            })
            .collect();
        let base = ChainEnd::START;
        (ChainEnds { base, head }, rows)
    }

    fn verify(ends: ChainEnds, rows: &[(AuditRow, Seal)]) -> Result<ChainEnd, Broken> {
        let mut reader = ChainReader::new(ends, &ToySeals(1));
        for (row, seal) in rows {
            reader.follow(row, *seal)?;
        }
        reader.finish()
    }

    #[test]
    fn an_unmodified_chain_is_valid() {
        for length in [0, 1, 2, 9] {
            let (ends, rows) = chain(length);
            assert_eq!(verify(ends, &rows), Ok(ends.head), "{length}");
        }
    }

    #[test]
    fn a_trimmed_chain_is_valid() {
        let (mut ends, rows) = chain(9);
        ends.base = ChainEnd {
            number: AuditNumber(4),
            seal: rows[3].1,
        };
        assert_eq!(verify(ends, &rows[4..]), Ok(ends.head));
    }

    #[test]
    fn every_removed_event_is_reported_by_number() {
        let (ends, rows) = chain(6);
        for index in 0..rows.len() {
            let mut rows = rows.clone();
            let (removed, _) = rows.remove(index);
            assert_eq!(verify(ends, &rows), Err(Broken::Missing(removed.number)));
        }
    }

    #[test]
    fn every_changed_event_is_reported_by_number() {
        let (ends, rows) = chain(6);
        for index in 0..rows.len() {
            let mut changed = rows.clone();
            changed[index].0.details = r#"{"count":"7"}"#.to_owned();
            let number = rows[index].0.number;
            assert_eq!(verify(ends, &changed), Err(Broken::Changed(number)));
            let mut resealed = rows.clone();
            resealed[index].1.0[7] ^= 1;
            assert_eq!(verify(ends, &resealed), Err(Broken::Changed(number)));
        }
    }

    #[test]
    fn the_first_of_two_swapped_rows_is_reported() {
        let (ends, rows) = chain(6);
        let mut swapped = rows.clone();
        // Swap the contents but keep numbers and seals; then swap the seals as well.
        let (second, fourth) = (rows[1].0.number, rows[3].0.number);
        swapped[1].0 = AuditRow {
            number: second,
            ..rows[3].0.clone()
        };
        swapped[3].0 = AuditRow {
            number: fourth,
            ..rows[1].0.clone()
        };
        assert_eq!(verify(ends, &swapped), Err(Broken::Changed(second)));
        swapped[1].1 = rows[3].1;
        swapped[3].1 = rows[1].1;
        assert_eq!(verify(ends, &swapped), Err(Broken::Changed(second)));
    }

    #[test]
    fn a_row_after_the_head_is_reported_as_added() {
        let (_, rows) = chain(6);
        let (ends, _) = chain(5);
        assert_eq!(verify(ends, &rows), Err(Broken::Added(AuditNumber(6))));
    }

    #[test]
    fn a_chain_sealed_again_does_not_match_the_stored_head() {
        let (mut ends, rows) = chain(6);
        ends.head.seal = Seal([9; 32]);
        assert_eq!(verify(ends, &rows), Err(Broken::HeadChanged(AuditNumber(6))));
    }
}
