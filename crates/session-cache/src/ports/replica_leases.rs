use crate::protocol::LeaseId;
use async_trait::async_trait;
use domain::ports::PortError;

/// Which replicas may be answering from memory, kept beside what they answer: in the same database, and as durable.
///
/// A lease lasts for [`Terms::STANDARD`](crate::protocol::Terms::STANDARD)'s `lease.waited()` by the database's clock. Whoever
/// has an answer of one of these methods MUST see it in every call that begins later, from whichever process.
#[async_trait]
pub trait ReplicaLeases: Send + Sync {
    /// Stores a new lease, to run out unless it is renewed. It MUST fail when there is one of that id, and leave it as it
    /// is; no replica uses a number twice.
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError>;

    /// Lets a lease last anew from now on. It MUST change nothing and say so when the lease is not there, was evicted or
    /// has run out.
    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError>;

    /// Makes sure that none of these leases is ever renewed again. They MUST stay among the [holders](Self::holders) until
    /// they run out, since who holds them does not know yet: others who revoke have to wait for them too.
    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError>;

    /// Removes the lease of a replica that answers nothing from memory any more. No other MUST be touched.
    async fn release(&self, lease: LeaseId) -> Result<(), PortError>;

    /// Every lease that has not run out, evicted or not.
    async fn holders(&self) -> Result<Vec<LeaseId>, PortError>;
}

/// What became of a renewal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewal {
    Granted,
    Refused,
}
