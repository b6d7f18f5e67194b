use crate::password::PasswordHash;
use thiserror::Error;

/// Why a hash from another system is not taken over. Safe to show: it repeats nothing of the hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForeignHashRefused {
    #[error("the form of the password hash is not known here")]
    UnknownForm,
    #[error("the password hash is damaged: {0}")]
    Damaged(&'static str),
    /// Checking a password against it would take too long or too much memory.
    #[error("the password hash costs too much to check: {0}")]
    TooCostly(&'static str),
    /// It would fall to whoever gets hold of it.
    #[error("the password hash is too weak to be kept: {0}")]
    TooWeak(&'static str),
}

/// Password hashes that other systems made.
#[cfg_attr(test, mockall::automock)]
pub trait ForeignHashes: Send + Sync {
    /// The hash as this service keeps it. What is accepted here a [`PasswordHasher`](super::PasswordHasher) MUST be able to
    /// verify, within bounds on time and memory, and MUST find outdated unless it is such as is made now.
    fn accept(&self, text: &str) -> Result<PasswordHash, ForeignHashRefused>;
}
