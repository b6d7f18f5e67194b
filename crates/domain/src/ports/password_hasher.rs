use super::PortError;
use crate::password::{Password, PasswordHash};
use async_trait::async_trait;

/// How a password compared with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    Wrong,
    Right,
    /// Right, and the hash was made with other parameters than those in force: hash again.
    RightButOutdated,
}

/// Password hashing, costly on purpose. Both methods answer [`PortError::Overloaded`] rather than queue without bound.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes with a fresh salt. Two hashes of one password MUST differ, and both MUST verify.
    async fn hash(&self, password: Password) -> Result<PasswordHash, PortError>;

    /// Compares `password` with `hash`.
    ///
    /// Without a hash, and with one that cannot be used, it MUST answer [`Verification::Wrong`] and do the same work as
    /// with one; with one that was made more cheaply than is done now, it MUST make up for the difference. So neither
    /// time nor an error tells whether there is such a user. A hash that cannot be used is the operator's to mend: it
    /// MUST be logged as an error, without the hash.
    async fn verify(&self, password: Password, hash: Option<PasswordHash>)
    -> Result<Verification, PortError>;
}
