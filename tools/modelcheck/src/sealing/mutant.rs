use super::properties::{COMMITTED, COMPLETE, DEPENDENCIES, NUMBERS, ONCE};

/// A mutation that violates one rule of sealing. The search must detect each one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// Sealers look only above the highest sealed `seq`, also in a full look.
    Watermark,
    /// Sealers look only above the highest sealed `seq`, except in a full look.
    RangesOnlyAboveTheHighest,
    /// Of too many ranges, the lowest are dropped instead of merged.
    DroppedRanges,
    /// The ranges move in a transaction of their own, so an abort does not restore them.
    RangesThatSurviveAnAbort,
    /// The head moves in a transaction of its own, so an abort does not restore it.
    HeadThatSurvivesAnAbort,
    LimitWithoutOrder,
    SealingBeforeTheCommit,
    NoChainLock,
    /// Pending rows are removed in a transaction of their own, before the events are appended.
    RemovalBeforeTheSealing,
    /// Pending rows are removed in a transaction of their own, after the events were appended.
    RemovalAfterTheSealing,
    /// A change stores its event before it waits for its row locks.
    NumberDrawnBeforeTheLock,
}

impl Mutant {
    pub const ALL: [Self; 11] = [
        Self::Watermark,
        Self::RangesOnlyAboveTheHighest,
        Self::DroppedRanges,
        Self::RangesThatSurviveAnAbort,
        Self::HeadThatSurvivesAnAbort,
        Self::LimitWithoutOrder,
        Self::SealingBeforeTheCommit,
        Self::NoChainLock,
        Self::RemovalBeforeTheSealing,
        Self::RemovalAfterTheSealing,
        Self::NumberDrawnBeforeTheLock,
    ];

    /// Returns the name of the property that the mutation violates.
    #[must_use]
    pub fn violates(self) -> &'static str {
        match self {
            Self::Watermark | Self::RemovalBeforeTheSealing => COMPLETE,
            Self::RemovalAfterTheSealing => ONCE,
            Self::SealingBeforeTheCommit => COMMITTED,
            Self::NoChainLock | Self::HeadThatSurvivesAnAbort => NUMBERS,
            Self::RangesOnlyAboveTheHighest
            | Self::DroppedRanges
            | Self::RangesThatSurviveAnAbort
            | Self::LimitWithoutOrder
            | Self::NumberDrawnBeforeTheLock => DEPENDENCIES,
        }
    }
}
