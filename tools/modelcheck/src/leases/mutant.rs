/// A mutation that violates one rule of the protocol. The search must detect each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    LeaseCountedFromTheResponse,
    RenewalByUpsert,
    RenewalOfAnExpiredLease,
    /// The database stores all leases under the same number.
    ReusedLeaseNumbers,
    HoldersReadBeforeTheCommit,
    NoEviction,
    NoWaitAfterEviction,
    /// An eviction deletes the lease instead of blocking its renewal, so other publishers do not
    /// wait for it.
    EvictionThatRemovesTheRow,
    /// The age of a read is counted from its result instead of its beginning.
    ReadsCountedFromTheResult,
    LeasesThatInvalidateNothing,
    JoinOfAStaleRead,
    /// A request that joins a read is not checked again when the read returns the session's user.
    JoinWithoutRevalidation,
    AcknowledgementWithoutInvalidation,
    PublisherThatSkipsItself,
    AnswersWithoutALease,
    SnapshotsOfAnyAge,
    /// The calendar clock is not stepped after a pause.
    UnnoticedPause,
}

impl Mutant {
    pub const ALL: [Self; 17] = [
        Self::LeaseCountedFromTheResponse,
        Self::RenewalByUpsert,
        Self::RenewalOfAnExpiredLease,
        Self::ReusedLeaseNumbers,
        Self::HoldersReadBeforeTheCommit,
        Self::NoEviction,
        Self::NoWaitAfterEviction,
        Self::EvictionThatRemovesTheRow,
        Self::ReadsCountedFromTheResult,
        Self::LeasesThatInvalidateNothing,
        Self::JoinOfAStaleRead,
        Self::JoinWithoutRevalidation,
        Self::AcknowledgementWithoutInvalidation,
        Self::PublisherThatSkipsItself,
        Self::AnswersWithoutALease,
        Self::SnapshotsOfAnyAge,
        Self::UnnoticedPause,
    ];
}
