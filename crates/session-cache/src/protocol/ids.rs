use std::fmt;
use uuid::Uuid;

/// One run of a process that serves or revokes. Each start of the program MUST use a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub Uuid);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One lease of one replica. A replica never reuses a number, so a delayed request or response for
/// one lease cannot affect the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId {
    /// The replica that holds or requests the lease.
    pub replica: ReplicaId,
    /// Counts the replica's leases, from 1.
    pub number: u32,
}

/// One published invalidation. A process never reuses a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicationId {
    /// The process that publishes and collects the acknowledgements.
    pub publisher: ReplicaId,
    /// Counts the publisher's publications, from 0.
    pub number: u64,
}
