use crate::password::PasswordHash;
use thiserror::Error;

/// Why a hash from another system was rejected. It is safe to show, because it contains no part of
/// the hash.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ForeignHashRefused {
    #[error("the format of the password hash is not supported")]
    UnknownForm,
    #[error("the password hash is damaged: {0}")]
    Damaged(&'static str),
    /// Verifying a password against it would take too much time or memory.
    #[error("the password hash is too expensive to verify: {0}")]
    TooCostly(&'static str),
    /// It would not withstand an offline attack.
    #[error("the password hash is too weak: {0}")]
    TooWeak(&'static str),
}

/// Accepts password hashes made by other systems.
#[cfg_attr(test, mockall::automock)]
pub trait ForeignHashes: Send + Sync {
    /// Converts a hash to the form in which this service stores it. A
    /// [`PasswordHasher`](super::PasswordHasher) MUST be able to verify every accepted hash within
    /// bounded time and memory, and MUST report it as outdated unless it has the current algorithm
    /// and parameters.
    fn accept(&self, text: &str) -> Result<PasswordHash, ForeignHashRefused>;
}
