/// A rule of the protocol that is broken, to see that the search notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    LeaseCountedFromTheAnswer,
    RenewalByUpsert,
    RenewalOfALeaseThatRanOut,
    /// Any number may be asked for again, and whoever asks gets it.
    LeaseNumbersUsedAgain,
    HoldersReadBeforeTheCommit,
    NoEviction,
    NoWaitAfterEviction,
    /// As if an eviction ended the lease, not its renewals: others who revoke do not wait for it.
    EvictionThatRemovesTheRow,
    /// What was read counts as read when the answer came.
    FillsThatDoNotCompareTheCounter,
    LeasesThatDoNotRaiseTheCounter,
    WaiterThatUsesAnOlderRead,
    /// A waiter looks only at what is known before the read has told whose session it is.
    WaiterThatDoesNotLookAgain,
    AcknowledgementWithoutInvalidation,
    RevokerThatSparesItself,
    AnswersWithoutALease,
    ViewsOfAnyAge,
}

impl Mutant {
    pub const ALL: [Self; 16] = [
        Self::LeaseCountedFromTheAnswer,
        Self::RenewalByUpsert,
        Self::RenewalOfALeaseThatRanOut,
        Self::LeaseNumbersUsedAgain,
        Self::HoldersReadBeforeTheCommit,
        Self::NoEviction,
        Self::NoWaitAfterEviction,
        Self::EvictionThatRemovesTheRow,
        Self::FillsThatDoNotCompareTheCounter,
        Self::LeasesThatDoNotRaiseTheCounter,
        Self::WaiterThatUsesAnOlderRead,
        Self::WaiterThatDoesNotLookAgain,
        Self::AcknowledgementWithoutInvalidation,
        Self::RevokerThatSparesItself,
        Self::AnswersWithoutALease,
        Self::ViewsOfAnyAge,
    ];
}
