use crate::protocol::LeaseId;
use async_trait::async_trait;
use domain::ports::PortError;

/// Stores which replicas may answer from memory, in the same database as the sessions and with the
/// same durability.
///
/// A lease lasts [`Terms::STANDARD`](crate::protocol::Terms::STANDARD)`.lease.waited()` by the
/// database's clock. The effect of a method that has returned MUST be visible to every call that
/// begins later, in any process.
///
/// # Errors
/// All methods return a [`PortError`] if the database fails or does not respond in time. The change
/// may have been made nevertheless.
#[async_trait]
pub trait ReplicaLeases: Send + Sync {
    /// Stores a new lease that expires unless it is renewed. It MUST fail if a lease with this id
    /// exists, and MUST NOT change that lease.
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError>;

    /// Extends a lease to its full duration from now. It MUST change nothing and return
    /// [`Renewal::Refused`] if the lease does not exist, was evicted or has expired.
    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError>;

    /// Blocks any further renewal of these leases; ids without a lease are ignored. The leases MUST
    /// remain among the [holders](Self::holders) until they expire: their replicas may still answer
    /// from memory, so other publishers have to wait for them too.
    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError>;

    /// Removes the lease of a replica that no longer answers from memory. It MUST NOT affect other
    /// leases.
    async fn release(&self, lease: LeaseId) -> Result<(), PortError>;

    /// Returns every lease that has not expired, evicted or not.
    async fn holders(&self) -> Result<Vec<LeaseId>, PortError>;
}

/// The outcome of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    /// The lease lasts for its full duration from now.
    Granted,
    /// The lease does not exist, was evicted or has expired.
    Refused,
}
