/// A broken rule of the protocol, which the search must detect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    LeaseCountedFromTheResponse,
    RenewalByUpsert,
    RenewalOfAnExpiredLease,
    /// The database stores every lease under the same number.
    ReusedLeaseNumbers,
    HoldersReadBeforeTheCommit,
    NoEviction,
    NoWaitAfterEviction,
    /// An eviction ends the lease instead of blocking its renewal, so other publishers do not wait for it.
    EvictionThatRemovesTheRow,
    /// A read counts from its result instead of from its beginning.
    ReadsCountedFromTheResult,
    LeasesThatInvalidateNothing,
    JoinOfAStaleRead,
    /// A waiting request does not check again when the read returns the session's user.
    JoinWithoutRevalidation,
    AcknowledgementWithoutInvalidation,
    PublisherThatSkipsItself,
    AnswersWithoutALease,
    SnapshotsOfAnyAge,
}

impl Mutant {
    pub const ALL: [Self; 16] = [
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
    ];
}
