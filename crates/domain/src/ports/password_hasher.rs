use super::{HashTicket, PortError};
use crate::password::{Password, PasswordHash};
use async_trait::async_trait;

/// The result of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    Wrong,
    Right,
    /// Right, and the hash was made with other parameters than those in force: hash again.
    RightButOutdated,
}

/// Hashes passwords, at a high cost on purpose. Both methods return [`PortError::Overloaded`] instead of queueing without
/// bound, and a job that is accepted MUST admit `ticket` ([`HashTicket`]).
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Hashes with a fresh salt. Two hashes of one password MUST differ, and both MUST verify.
    async fn hash(&self, password: Password, ticket: &mut HashTicket) -> Result<PasswordHash, PortError>;

    /// Compares `password` with `hash`.
    ///
    /// Without a hash, and with one that cannot be used, it MUST return [`Verification::Wrong`] and do the same work as
    /// with one. With one that was made at a lower cost than new hashes, it MUST make up for the difference. Neither time
    /// nor an error then shows whether the user exists. The operator has to repair a hash that cannot be used: it MUST be
    /// logged as an error, without the hash.
    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        ticket: &mut HashTicket,
    ) -> Result<Verification, PortError>;
}
