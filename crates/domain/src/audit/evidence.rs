//! What a log is compared with: checkpoints, and a position that the operator noted.

use super::{
    AuditNumber, Broken, ChainEnd, ChainEnds, InvalidCheckpoint, SignedCheckpoint, StoredCheckpoint, Witness,
};
use crate::ports::CheckpointVerifier;
use thiserror::Error;

/// Statements about the log, from the database and from elsewhere. Their signatures were not
/// checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses {
    /// The checkpoints in the database.
    pub stored: Vec<StoredCheckpoint>,
    /// The note in the key folder.
    pub kept: Option<String>,
    /// A note that the caller presents.
    pub presented: Option<String>,
    /// The number and seal of an event, noted outside the database.
    pub anchor: Option<ChainEnd>,
}

/// Positions that the chain must contain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// In ascending order of their numbers.
    positions: Vec<(ChainEnd, Witness)>,
    newest_stored: Option<AuditNumber>,
}

/// The event of a witness has been trimmed, so the log cannot be compared with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("event {number} of {witness} has been trimmed; use a later one")]
pub struct EvidenceTrimmed {
    pub number: AuditNumber,
    pub witness: Witness,
}

impl Evidence {
    /// Checks the signatures of `found`.
    ///
    /// # Errors
    /// Returns [`Broken`] for the first checkpoint that is not a valid one of this log.
    pub fn read(found: &Witnesses, verifier: &dyn CheckpointVerifier) -> Result<Self, Broken> {
        let mut positions = Vec::with_capacity(found.stored.len() + 3);
        for stored in &found.stored {
            positions.push((read_stored(stored, verifier)?, Witness::Stored));
        }
        let newest_stored = positions.iter().map(|(end, _)| end.number).max();
        let outside = [
            (&found.kept, Witness::Kept),
            (&found.presented, Witness::Presented),
        ];
        for (note, witness) in outside {
            let Some(note) = note else { continue };
            let checkpoint =
                SignedCheckpoint::parse(note, verifier).map_err(|cause| forged(None, witness, cause))?;
            positions.push((checkpoint.end(), witness));
        }
        positions.extend(found.anchor.map(|anchor| (anchor, Witness::Anchor)));
        positions.sort_by_key(|(end, _)| end.number);
        Ok(Self {
            positions,
            newest_stored,
        })
    }

    /// Returns the positions that the chain must contain, lowest number first.
    pub fn positions(&self) -> impl Iterator<Item = ChainEnd> {
        self.positions.iter().map(|(end, _)| *end)
    }

    /// Returns the number of the last event that a signed checkpoint covers; 0 if there is none.
    #[must_use]
    pub fn covered(&self) -> AuditNumber {
        self.newest_signed()
            .map_or(ChainEnd::START.number, |end| end.number)
    }

    /// Returns the position of the signed checkpoint that covers the most events.
    #[must_use]
    pub fn newest_signed(&self) -> Option<ChainEnd> {
        let mut newest_first = self.positions.iter().rev();
        let signed = newest_first.find(|(_, witness)| *witness != Witness::Anchor);
        signed.map(|(end, _)| *end)
    }

    /// Checks that no witness covers events after the head, and that the stored checkpoints reach
    /// as far as the others.
    ///
    /// # Errors
    /// Returns [`Broken::CutOff`] for the witness that covers the most, or
    /// [`Broken::CheckpointsRemoved`].
    pub fn check_reach(&self, head: ChainEnd) -> Result<(), Broken> {
        match self.positions.last() {
            Some((end, witness)) if end.number > head.number => Err(Broken::CutOff {
                first: head.next(),
                covered: end.number,
                witness: *witness,
            }),
            _ if self.newest_stored < self.newest_signed().map(|end| end.number) => {
                Err(Broken::CheckpointsRemoved(self.covered()))
            }
            _ => Ok(()),
        }
    }

    /// Checks that the chain has the seals of the witnesses of the event `reached`.
    ///
    /// # Errors
    /// Returns [`Broken::OtherChain`] if a witness has another seal.
    pub fn check_position(&self, reached: ChainEnd) -> Result<(), Broken> {
        let from = self
            .positions
            .partition_point(|(end, _)| end.number < reached.number);
        let later = self.positions.get(from..).unwrap_or_default();
        let of_event = later.iter().take_while(|(end, _)| end.number == reached.number);
        for (end, witness) in of_event {
            if end.seal != reached.seal {
                return Err(Broken::OtherChain(end.number, *witness));
            }
        }
        Ok(())
    }

    /// Checks that retention has not removed the event of a witness that the caller presents.
    /// Checkpoints in the database and in the key folder may be older than the log.
    ///
    /// # Errors
    /// Returns [`EvidenceTrimmed`] for the first such witness.
    pub fn check_kept(&self, ends: ChainEnds) -> Result<(), EvidenceTrimmed> {
        let trimmed = self.positions.iter().find(|(end, witness)| {
            end.number < ends.base.number && matches!(witness, Witness::Anchor | Witness::Presented)
        });
        match trimmed {
            None => Ok(()),
            Some((end, witness)) => Err(EvidenceTrimmed {
                number: end.number,
                witness: *witness,
            }),
        }
    }
}

/// Parses a stored checkpoint, whose number must be that of its note.
fn read_stored(stored: &StoredCheckpoint, verifier: &dyn CheckpointVerifier) -> Result<ChainEnd, Broken> {
    let refused = |cause| forged(Some(stored.number), Witness::Stored, cause);
    let end = SignedCheckpoint::parse(&stored.note, verifier)
        .map_err(refused)?
        .end();
    if end.number == stored.number {
        Ok(end)
    } else {
        Err(refused(InvalidCheckpoint::Malformed))
    }
}

fn forged(number: Option<AuditNumber>, witness: Witness, cause: InvalidCheckpoint) -> Broken {
    Broken::ForgedCheckpoint {
        number,
        witness,
        cause,
    }
}
