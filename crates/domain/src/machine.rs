//! Machines: programs with an identity of their own, such as a service that checks tokens or a job
//! that administers. A machine proves its identity with a secret (RFC 6749, section 2.3.1) and
//! receives short-lived access tokens (section 4.4).
//!
//! Each secret is a session of its machine: its id is the `sid` of the tokens that are issued for
//! it, it may expire, and its removal revokes these tokens.

mod audience;
mod name;
mod secret;

pub use audience::{Audience, NotAnAudience};
pub use name::{MachineName, NotAMachineName};
pub use secret::{MachineSecret, MachineSecretText, NotAMachineSecret, SecretProof};

use crate::{
    revision::Revision,
    role::RoleNames,
    session::{Lifetime, SessionId},
    user::{Epoch, UserStatus},
};
use chrono::{DateTime, Utc};
use std::fmt;
use uuid::Uuid;

/// The maximum number of secrets of a machine: the current one, and the next during its rotation.
pub const MAX_SECRETS: usize = 2;
/// The maximum number of machines, so that one response contains them all.
pub const MAX_MACHINES: u64 = 1_000;

/// A machine's id, a `UUIDv7`, which is its `client_id`. Its tokens carry it as `sub` as well
/// (RFC 9068, section 2.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub Uuid);

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A machine. All times are UTC to the microsecond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Machine {
    pub id: MachineId,
    pub name: MachineName,
    /// The audience of the tokens that the machine receives as a resource server, if it is one.
    pub audience: Option<Audience>,
    pub roles: RoleNames,
    pub status: UserStatus,
    /// Access tokens of another epoch are invalid.
    pub epoch: Epoch,
    /// Increases with each change to the other fields, except the last use of a secret.
    pub revision: Revision,
    pub created_at: DateTime<Utc>,
    /// The time of the last change.
    pub updated_at: DateTime<Utc>,
    /// At most [`MAX_SECRETS`], the oldest first.
    pub secrets: Vec<MachineSecret>,
}

impl Machine {
    /// Returns the secret with this id.
    #[must_use]
    pub fn secret(&self, id: SessionId) -> Option<&MachineSecret> {
        self.secrets.iter().find(|secret| secret.id == id)
    }

    /// Returns the lifetime of the session that the secret with this id is.
    #[must_use]
    pub fn lifetime(&self, secret: SessionId) -> Option<Lifetime> {
        self.secret(secret).map(MachineSecret::lifetime)
    }

    /// Returns when the machine last used one of its secrets,
    /// [coarsely](MachineSecret::last_used_at).
    #[must_use]
    pub fn last_used_at(&self) -> Option<DateTime<Utc>> {
        self.secrets.iter().filter_map(|secret| secret.last_used_at).max()
    }

    /// Returns the machine at the next revision, updated at `at`.
    #[must_use]
    pub fn changed(self, at: DateTime<Utc>) -> Self {
        Self {
            revision: self.revision.next(),
            updated_at: at,
            ..self
        }
    }
}
