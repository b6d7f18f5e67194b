//! Changes that storage can make in one statement, without loading facts first.

use super::{AccountState, Applied, Change};
use crate::{
    audit::AuditEvent,
    revision::Revision,
    session::{EndReason, NewSession, SessionId},
    user::{User, UserId},
};

/// The change that a command decides if the rows are as expected, and the expectation.
///
/// Storage may check the expectation in the statement that makes the change. If it does not hold,
/// storage MUST write nothing, load the facts and [decide](super::Command::decide) on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectChange {
    /// All that [`change`](Self::change) writes except its event, and the expectation.
    pub write: DirectWrite,
    /// What [`Command::decide`](super::Command::decide) returns if the expectation holds.
    pub change: Change,
}

/// What a [`DirectChange`] writes, and on which condition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DirectWrite {
    /// End `session`, if it is live at [`Change::at`] and belongs to `user`.
    EndSession {
        session: SessionId,
        user: UserId,
        reason: EndReason,
    },
    /// Store `session`, and set the time of its user's last login and their next revision, if they
    /// have the revision `revision` and fewer than `max_sessions` sessions that are live at
    /// [`Change::at`]. Every change that stores a session MUST change the revision.
    OpenSession {
        session: NewSession,
        revision: Revision,
        max_sessions: u32,
    },
}

/// An account as it was read before the command, outside its transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownAccount {
    pub state: AccountState,
    /// The state is current for as long as the user has this revision.
    pub revision: Revision,
}

impl From<&User> for KnownAccount {
    fn from(user: &User) -> Self {
        Self {
            state: user.into(),
            revision: user.revision,
        }
    }
}

impl DirectChange {
    /// Returns the audit event to write in the same statement.
    #[must_use]
    pub fn event(&self) -> Option<AuditEvent> {
        self.change.event(self.sessions_ended())
    }

    /// Returns the result of the command after the change was made.
    #[must_use]
    pub fn applied(&self) -> Applied {
        Applied {
            change: self.change.clone(),
            sessions_ended: self.sessions_ended(),
        }
    }

    fn sessions_ended(&self) -> u64 {
        match self.write {
            DirectWrite::EndSession { .. } => 1,
            DirectWrite::OpenSession { .. } => 0,
        }
    }
}
