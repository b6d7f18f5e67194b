use super::{HashTicket, PortError};
use crate::password::{Password, PasswordHash};
use async_trait::async_trait;

/// The result of comparing a password with a hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verification {
    Wrong,
    Right,
    /// The password is right, but the hash was made with outdated parameters and should be
    /// replaced.
    RightButOutdated,
}

/// Hashes passwords, which is intentionally expensive. The methods return
/// [`PortError::Overloaded`] instead of queueing without bound. An accepted job MUST admit `ticket`
/// ([`HashTicket`]).
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordHasher: Send + Sync {
    /// Reserves a place in the queue for the next job with `ticket`, before the use case reads
    /// anything, so that a full queue causes no reads and its refusal depends on nothing stored.
    /// Dropping the ticket MUST free the place.
    ///
    /// The queue MUST be fair: while it is full, a network with fewer places than another takes one
    /// of that network's, so that a flood delays its own network only. If the queue has no place
    /// for a client in an unknown place, the reservation MUST still succeed, up to a bound, in the
    /// share of known places: [`settle`](Self::settle) or the job is then rejected unless the
    /// ticket was [set](HashTicket::set_known) to a known place meanwhile.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if no place is left.
    fn reserve(&self, ticket: &mut HashTicket) -> Result<(), PortError>;

    /// Decides whether the job may use the reserved place, now that the ticket states whether the
    /// client is in a known place. Call it before an attempt is counted: afterwards, the job MUST
    /// be rejected only if a network with fewer places takes one of this network's. Does nothing
    /// without a reserved place.
    ///
    /// # Errors
    /// Returns [`PortError::Overloaded`] if the job may not use the place, which is then free.
    fn settle(&self, ticket: &mut HashTicket) -> Result<(), PortError>;

    /// Hashes with a fresh salt. Two hashes of one password MUST differ, and both MUST verify.
    async fn hash(&self, password: Password, ticket: &mut HashTicket) -> Result<PasswordHash, PortError>;

    /// Compares `password` with `hash`. The password is right if the hash is one of its normalised
    /// text, or one that another system made of another of its [forms](Password::forms), as far as
    /// a bound on the work permits.
    ///
    /// Without a hash, or with one that cannot be used, this method MUST return
    /// [`Verification::Wrong`] and do the same work as for a wrong password with a usable one. With
    /// a hash of lower cost than new ones, it MUST make up the difference. Neither the time nor an
    /// error then shows whether the user exists.
    ///
    /// A hash that cannot be used MUST be logged as an error, without the hash, so that the
    /// operator can repair it.
    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        ticket: &mut HashTicket,
    ) -> Result<Verification, PortError>;
}
