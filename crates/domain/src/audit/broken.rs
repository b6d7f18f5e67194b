//! The kinds of tampering that verification finds, each with its own message.

use super::{AuditKeyId, AuditNumber, InvalidCheckpoint};
use std::fmt;
use thiserror::Error;

/// The first difference between the audit log and what the service wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Broken {
    #[error("event {0} is missing")]
    Missing(AuditNumber),
    /// The event was changed, or swapped with another.
    #[error("event {0} has been changed")]
    Changed(AuditNumber),
    #[error("event {0} was added after the end of the chain, or the stored end was moved back")]
    Added(AuditNumber),
    /// The last event is intact, and the stored end of the chain has another seal.
    #[error("event {0} is intact, but the stored end of the chain has been changed")]
    HeadChanged(AuditNumber),
    /// The log begins after this event, and no event records that retention removed the others.
    #[error(
        "event {0} and all earlier ones were removed, and no event of the log records a removal up to it"
    )]
    BaseMoved(AuditNumber),
    /// The chain is intact, and a program without the audit key sealed this event.
    #[error("event {0} was written without the audit key: it has no MAC")]
    NoMac(AuditNumber),
    /// The chain is intact, and a program without the audit key sealed this event.
    #[error("event {0} was written without the audit key: its MAC is wrong")]
    WrongMac(AuditNumber),
    /// The key was lost or replaced, or the event is forged.
    #[error("event {0} was written with another audit key ({1}), and no checkpoint covers it")]
    UnknownKey(AuditNumber, AuditKeyId),
    /// The chain is intact, and this event was not sealed as a program with the audit key wrote it.
    #[error("event {0} was forged, or edited before it was sealed")]
    ForgedPending(AuditNumber),
    /// The checkpoint of this event, or one without a readable number, is not of this log.
    #[error("{witness} is not valid{}: {cause}", number_of(*.number))]
    ForgedCheckpoint {
        number: Option<AuditNumber>,
        witness: Witness,
        cause: InvalidCheckpoint,
    },
    /// The log was rebuilt from this event or an earlier one.
    #[error("the seal of event {0} does not match {1}: the log was rebuilt up to this event")]
    OtherChain(AuditNumber, Witness),
    /// The newest events were removed, or an older copy of the database was put back.
    #[error(
        "event {first} is missing: {witness} covers the events up to {covered}; the newest events were removed, or an \
         older copy of the database was restored"
    )]
    CutOff {
        /// The first missing event.
        first: AuditNumber,
        covered: AuditNumber,
        witness: Witness,
    },
    /// A checkpoint from elsewhere is valid, and no stored one covers its event.
    #[error("the stored checkpoints of event {0} and later ones were removed")]
    CheckpointsRemoved(AuditNumber),
}

/// What a position of the chain was compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Witness {
    /// A number and seal that the operator noted.
    Anchor,
    /// A checkpoint in the database.
    Stored,
    /// The checkpoint in the key folder.
    Kept,
    /// The last checkpoint that this process signed or found.
    Own,
    /// A checkpoint that the caller presented.
    Presented,
}

impl fmt::Display for Witness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anchor => "the anchor",
            Self::Stored => "a stored checkpoint",
            Self::Kept => "the checkpoint in the key folder",
            Self::Own => "the last checkpoint of this process",
            Self::Presented => "the presented checkpoint",
        })
    }
}

fn number_of(number: Option<AuditNumber>) -> String {
    number
        .map(|number| format!(" (event {number})"))
        .unwrap_or_default()
}

impl Broken {
    /// Returns the number of the event that differs, if it is known.
    #[must_use]
    pub fn number(self) -> Option<AuditNumber> {
        match self {
            Self::Missing(number)
            | Self::Changed(number)
            | Self::Added(number)
            | Self::HeadChanged(number)
            | Self::BaseMoved(number)
            | Self::NoMac(number)
            | Self::WrongMac(number)
            | Self::UnknownKey(number, _)
            | Self::ForgedPending(number)
            | Self::OtherChain(number, _)
            | Self::CutOff { first: number, .. }
            | Self::CheckpointsRemoved(number) => Some(number),
            Self::ForgedCheckpoint { number, .. } => number,
        }
    }
}
