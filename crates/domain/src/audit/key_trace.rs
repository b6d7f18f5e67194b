//! Which audit key a database was used with, as far as a process without that key can see.

use super::{AuditKeyId, AuditNumber, InvalidCheckpoint, SignedCheckpoint, StoredCheckpoint};
use crate::ports::CheckpointVerifier;
use thiserror::Error;

/// The strongest statement of a database about its audit key. Later variants take precedence: a
/// program without the key can insert a pending event, and cannot sign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyTrace {
    /// The log has no events.
    Empty,
    /// The log has events, and the newest ones have no MAC: a version before MACs wrote them.
    Keyless,
    /// The key of the oldest pending event.
    Pending(AuditKeyId),
    /// The key of the newest sealed event that has a MAC.
    Sealed(AuditKeyId),
    /// The newest checkpoint.
    Checkpoint(StoredCheckpoint),
}

/// Why an audit key is not the one of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OtherAuditKey {
    #[error("its events that are not sealed yet have the key {0}")]
    Pending(AuditKeyId),
    #[error("its newest events have the key {0}")]
    Sealed(AuditKeyId),
    #[error("its newest checkpoint (event {0}) is signed with another key")]
    Checkpoint(AuditNumber),
}

impl KeyTrace {
    /// Returns whether an audit key was used, so that a new one would be a second one.
    #[must_use]
    pub fn is_used(&self) -> bool {
        !matches!(self, Self::Empty | Self::Keyless)
    }

    /// Checks that the key `own`, whose checkpoints `verifier` accepts, is the one of the database.
    /// A checkpoint that was edited is no evidence of another key.
    ///
    /// # Errors
    /// Returns [`OtherAuditKey`] if the database was used with another key.
    pub fn check(&self, own: AuditKeyId, verifier: &dyn CheckpointVerifier) -> Result<(), OtherAuditKey> {
        match self {
            Self::Pending(key) if *key != own => Err(OtherAuditKey::Pending(*key)),
            Self::Sealed(key) if *key != own => Err(OtherAuditKey::Sealed(*key)),
            Self::Checkpoint(stored) => match SignedCheckpoint::parse(&stored.note, verifier) {
                Err(InvalidCheckpoint::UnknownKey) => Err(OtherAuditKey::Checkpoint(stored.number)),
                Ok(_) | Err(InvalidCheckpoint::Malformed | InvalidCheckpoint::WrongSignature) => Ok(()),
            },
            Self::Empty | Self::Keyless | Self::Pending(_) | Self::Sealed(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::{ChainEnd, Seal, fixtures::ToyNotes},
        fixtures::now,
    };

    const OWN: AuditKeyId = AuditKeyId([1; 8]);
    const OTHER: AuditKeyId = AuditKeyId([2; 8]);
    const NUMBER: AuditNumber = AuditNumber(7);

    fn checkpoint(note: &str) -> KeyTrace {
        KeyTrace::Checkpoint(StoredCheckpoint {
            number: NUMBER,
            at: now(),
            note: note.to_owned(),
        })
    }

    fn note(key: u8) -> String {
        let end = ChainEnd {
            number: NUMBER,
            seal: Seal([3; 32]),
        };
        SignedCheckpoint::sign(end, &ToyNotes(key)).note().to_owned()
    }

    #[test]
    fn another_key_is_refused_whatever_names_it() {
        for (trace, expected) in [
            (KeyTrace::Pending(OTHER), OtherAuditKey::Pending(OTHER)),
            (KeyTrace::Sealed(OTHER), OtherAuditKey::Sealed(OTHER)),
            (checkpoint(&note(2)), OtherAuditKey::Checkpoint(NUMBER)),
        ] {
            assert!(trace.is_used());
            assert_eq!(trace.check(OWN, &ToyNotes(1)), Err(expected));
        }
    }

    #[test]
    fn the_own_key_is_accepted_and_an_edited_checkpoint_names_no_key() {
        for trace in [
            KeyTrace::Pending(OWN),
            KeyTrace::Sealed(OWN),
            checkpoint(&note(1)),
            checkpoint("edited"),
            checkpoint(&note(1).replace("\n7\n", "\n8\n")),
        ] {
            assert!(trace.is_used(), "{trace:?}");
            assert_eq!(trace.check(OWN, &ToyNotes(1)), Ok(()), "{trace:?}");
        }
    }

    #[test]
    fn a_database_that_was_never_used_with_a_key_accepts_every_key() {
        for trace in [KeyTrace::Empty, KeyTrace::Keyless] {
            assert!(!trace.is_used(), "{trace:?}");
            assert_eq!(trace.check(OWN, &ToyNotes(1)), Ok(()), "{trace:?}");
        }
    }
}
