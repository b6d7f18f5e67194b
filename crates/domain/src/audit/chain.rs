//! The chain that the trail's events form: each is sealed together with the seal of the one before it, so that none can be
//! changed, removed or moved unnoticed by whoever does not also seal every later one anew.

use super::{AuditNumber, AuditRow};
use crate::ports::AuditSealer;
use std::fmt;
use thiserror::Error;

/// The seal of an event: a digest of the event and of the seal before it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Seal(pub [u8; 32]);

impl Seal {
    /// What stands before the very first event.
    pub const NONE: Self = Self([0; 32]);
}

impl fmt::Display for Seal {
    /// 64 hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal({self})")
    }
}

/// A place in the chain: an event's number and its seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnd {
    pub number: AuditNumber,
    pub seal: Seal,
}

impl ChainEnd {
    /// Before the first event.
    pub const START: Self = Self {
        number: AuditNumber(0),
        seal: Seal::NONE,
    };

    /// The place after this one, which `row` takes.
    #[must_use]
    pub fn seal_next(self, row: &AuditRow, sealer: &dyn AuditSealer) -> Self {
        Self {
            number: row.number,
            seal: sealer.seal(&self.seal, &row.sealed_bytes()),
        }
    }

    /// The number of the event that comes next.
    #[must_use]
    pub fn next(self) -> AuditNumber {
        AuditNumber(self.number.0 + 1)
    }
}

/// Where the chain that is kept begins and ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainEnds {
    /// The last event that was removed on purpose; [`ChainEnd::START`] when none was.
    pub base: ChainEnd,
    /// The last event.
    pub head: ChainEnd,
}

/// The first place where the chain is not as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    #[error("event {0} is missing")]
    Missing(AuditNumber),
    /// Changed, or swapped with another.
    #[error("event {0} is not as it was written")]
    Changed(AuditNumber),
    #[error("event {0} was added behind the end of the chain")]
    Added(AuditNumber),
}

/// Follows a chain from its base to its head.
pub struct ChainReader<'a> {
    sealer: &'a dyn AuditSealer,
    last: ChainEnd,
    head: ChainEnd,
}

impl<'a> ChainReader<'a> {
    #[must_use]
    pub fn new(ends: ChainEnds, sealer: &'a dyn AuditSealer) -> Self {
        Self {
            sealer,
            last: ends.base,
            head: ends.head,
        }
    }

    /// How far the chain has been followed.
    #[must_use]
    pub fn last(&self) -> ChainEnd {
        self.last
    }

    /// Follows the chain to `row`, the row with the next higher number that there is, which is sealed by `seal`.
    ///
    /// # Errors
    /// [`Broken`] at this row, or before it.
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

    /// Where the chain ends, once every row was followed.
    ///
    /// # Errors
    /// [`Broken`] when it ends too early, or in another seal than the one that was noted.
    pub fn finish(self) -> Result<ChainEnd, Broken> {
        if self.last.number < self.head.number {
            return Err(Broken::Missing(self.last.next()));
        }
        if self.last != self.head {
            return Err(Broken::Changed(self.head.number));
        }
        Ok(self.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin};
    use chrono::DateTime;

    /// Not a digest, but every byte and every order counts.
    struct Sum;

    impl AuditSealer for Sum {
        fn seal(&self, previous: &Seal, row: &[u8]) -> Seal {
            let mut state = u64::from_be_bytes(*previous.0.first_chunk().expect("32 bytes"));
            for &byte in row {
                state = state
                    .wrapping_mul(1_099_511_628_211)
                    .wrapping_add(u64::from(byte) + 1);
            }
            let mut seal = [0; 32];
            seal[..8].copy_from_slice(&state.to_be_bytes());
            Seal(seal)
        }
    }

    fn chain(length: i64) -> (ChainEnds, Vec<(AuditRow, Seal)>) {
        let context = AuditContext {
            at: DateTime::from_timestamp(1_000_000, 0).expect("a valid second"),
            actor: Actor::Operator,
            origin: Origin::default(),
        };
        let mut head = ChainEnd::START;
        let rows = (0..length)
            .map(|count| {
                let event = AuditEvent::new(AuditAction::FailuresOmitted).with("count", count);
                let row = AuditRow::new(head.next(), &event, &context);
                head = head.seal_next(&row, &Sum);
                (row, head.seal)
            })
            .collect();
        let base = ChainEnd::START;
        (ChainEnds { base, head }, rows)
    }

    fn verify(ends: ChainEnds, rows: &[(AuditRow, Seal)]) -> Result<ChainEnd, Broken> {
        let mut reader = ChainReader::new(ends, &Sum);
        for (row, seal) in rows {
            reader.follow(row, *seal)?;
        }
        reader.finish()
    }

    #[test]
    fn a_chain_that_nobody_touched_holds() {
        for length in [0, 1, 2, 9] {
            let (ends, rows) = chain(length);
            assert_eq!(verify(ends, &rows), Ok(ends.head), "{length}");
        }
    }

    #[test]
    fn a_chain_whose_beginning_was_removed_on_purpose_holds() {
        let (mut ends, rows) = chain(9);
        ends.base = ChainEnd {
            number: AuditNumber(4),
            seal: rows[3].1,
        };
        assert_eq!(verify(ends, &rows[4..]), Ok(ends.head));
    }

    #[test]
    fn every_single_removal_is_named() {
        let (ends, rows) = chain(6);
        for index in 0..rows.len() {
            let mut rows = rows.clone();
            let (removed, _) = rows.remove(index);
            assert_eq!(verify(ends, &rows), Err(Broken::Missing(removed.number)));
        }
    }

    #[test]
    fn every_single_change_is_named_by_its_number() {
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
    fn of_two_swapped_rows_the_first_is_named() {
        let (ends, rows) = chain(6);
        let mut swapped = rows.clone();
        // Their contents change places, under the numbers and with the seals that were there; and then with their seals.
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
    fn a_row_behind_the_head_was_added() {
        let (_, rows) = chain(6);
        let (ends, _) = chain(5);
        assert_eq!(verify(ends, &rows), Err(Broken::Added(AuditNumber(6))));
    }

    #[test]
    fn a_chain_that_was_made_anew_does_not_end_in_the_noted_head() {
        let (mut ends, rows) = chain(6);
        ends.head.seal = Seal([9; 32]);
        assert_eq!(verify(ends, &rows), Err(Broken::Changed(AuditNumber(6))));
    }
}
