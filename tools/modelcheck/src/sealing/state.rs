use super::{
    change::Change,
    sealer::{Look, Sealer},
};
use domain::audit::Unsealed;

/// A state of the whole system.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    pub(crate) changes: Vec<Change>,
    /// The last `seq` that was drawn.
    pub(crate) drawn: i64,
    pub(crate) chain: Chain,
    /// The sealed events, in the order in which they were appended.
    pub(crate) log: Vec<SealedEvent>,
    /// The sealers' transactions in progress.
    pub(crate) sealers: Vec<Sealer>,
}

/// The row of `audit_chain`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Chain {
    /// The number of the last event.
    pub head: i64,
    pub unsealed: Unsealed,
}

/// An event of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SealedEvent {
    pub number: i64,
    /// The index of the change that wrote it.
    pub change: usize,
}

/// An event that changes the state. Changes and sealers are given by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Lock(usize),
    Store(usize),
    CommitChange(usize),
    RollBack(usize),
    /// A sealer locks the chain and reads it.
    Begin(Look),
    /// A sealer removes pending rows, at most `limit`.
    Take {
        sealer: usize,
        limit: usize,
    },
    /// A sealer numbers the events, appends them, and moves the head and the ranges.
    Append(usize),
    CommitSealing(usize),
    /// A sealer is killed, or its transaction fails.
    Abort(usize),
    /// A sealer removes pending rows after its commit, which only a mutant does.
    Remove(usize),
}
