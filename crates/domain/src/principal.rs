//! Principals: the users and machines that hold sessions.

use crate::{
    machine::{Machine, MachineId},
    role::RoleNames,
    user::{Epoch, User, UserId, UserStatus},
};
use std::fmt;
use uuid::Uuid;

/// The id of a user or a machine. Tokens carry it as `sub`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PrincipalId {
    User(UserId),
    Machine(MachineId),
}

/// The holder of a session: a user, or a machine, whose secrets are its sessions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    User(User),
    Machine(Machine),
}

impl PrincipalId {
    /// Returns the id without its kind. No user and machine have the same one.
    #[must_use]
    pub fn uuid(self) -> Uuid {
        match self {
            Self::User(UserId(id)) | Self::Machine(MachineId(id)) => id,
        }
    }

    /// Returns the id of a user, or `None` for a machine.
    #[must_use]
    pub fn user(self) -> Option<UserId> {
        match self {
            Self::User(user) => Some(user),
            Self::Machine(_) => None,
        }
    }

    /// Returns the id of a machine, or `None` for a user.
    #[must_use]
    pub fn machine(self) -> Option<MachineId> {
        match self {
            Self::User(_) => None,
            Self::Machine(machine) => Some(machine),
        }
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.uuid().fmt(f)
    }
}

impl From<UserId> for PrincipalId {
    fn from(user: UserId) -> Self {
        Self::User(user)
    }
}

impl From<MachineId> for PrincipalId {
    fn from(machine: MachineId) -> Self {
        Self::Machine(machine)
    }
}

impl Principal {
    #[must_use]
    pub fn id(&self) -> PrincipalId {
        match self {
            Self::User(user) => user.id.into(),
            Self::Machine(machine) => machine.id.into(),
        }
    }

    #[must_use]
    pub fn roles(&self) -> &RoleNames {
        match self {
            Self::User(user) => &user.roles,
            Self::Machine(machine) => &machine.roles,
        }
    }

    #[must_use]
    pub fn epoch(&self) -> Epoch {
        match self {
            Self::User(user) => user.epoch,
            Self::Machine(machine) => machine.epoch,
        }
    }

    #[must_use]
    pub fn status(&self) -> UserStatus {
        match self {
            Self::User(user) => user.status,
            Self::Machine(machine) => machine.status,
        }
    }

    /// Returns the user, or `None` for a machine.
    #[must_use]
    pub fn user(&self) -> Option<&User> {
        match self {
            Self::User(user) => Some(user),
            Self::Machine(_) => None,
        }
    }

    /// Returns the machine, or `None` for a user.
    #[must_use]
    pub fn machine(&self) -> Option<&Machine> {
        match self {
            Self::User(_) => None,
            Self::Machine(machine) => Some(machine),
        }
    }
}

impl From<User> for Principal {
    fn from(user: User) -> Self {
        Self::User(user)
    }
}

impl From<Machine> for Principal {
    fn from(machine: Machine) -> Self {
        Self::Machine(machine)
    }
}
