//! The scope of an invalidation: which session snapshots replicas must drop after a change.

use crate::{machine::MachineId, principal::PrincipalId, session::SessionId, user::UserId};

/// The session snapshots that a change makes stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InvalidationScope {
    /// One session, which ended, or one secret of a machine, which was removed.
    Session(SessionId),
    /// All sessions of a user who changed, or whose sessions ended.
    User(UserId),
    /// All secrets of a machine that changed.
    Machine(MachineId),
    /// All sessions, after a change to something shared such as a role's permissions.
    Everything,
}

impl InvalidationScope {
    /// Returns the scope of all sessions of a user, or of all secrets of a machine.
    #[must_use]
    pub fn all_of(principal: PrincipalId) -> Self {
        match principal {
            PrincipalId::User(user) => Self::User(user),
            PrincipalId::Machine(machine) => Self::Machine(machine),
        }
    }
}
