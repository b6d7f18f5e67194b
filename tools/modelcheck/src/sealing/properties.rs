//! The properties of every state.

use super::{
    change::Progress,
    model::SealingModel,
    sealer::{Look, contains, select},
    state::{SealedEvent, State},
};
use stateright::Property;

pub const ONCE: &str = "no event is sealed twice";
pub const COMMITTED: &str = "only events of committed changes are sealed";
pub const NUMBERS: &str = "numbers start at 1 and have no gaps";
pub const DEPENDENCIES: &str = "an event has a higher number than those that it depends on";
/// At rest, no sealer has an open transaction, and a full look finds nothing. Changes may be open.
pub const COMPLETE: &str = "at rest, the event of every committed change is sealed";

/// The name of the property that some event is sealed after one with a higher `seq`. If no such
/// state were reachable, the search would prove little.
pub const LATE: &str = "an event is sealed after one with a higher seq";
/// The name of the property that ranges are merged.
pub const MERGED: &str = "sealers look under a number that was sealed";

/// Returns the properties of the model.
pub fn all() -> Vec<Property<SealingModel>> {
    vec![
        Property::always(ONCE, |_, state: &State| {
            let is_first = |(at, event): (usize, &SealedEvent)| position(state, event.change) == Some(at);
            state.log.iter().enumerate().all(is_first)
        }),
        Property::always(COMMITTED, |_, state: &State| {
            let progress = |event: &SealedEvent| state.changes.get(event.change).map(|it| it.progress);
            let mut log = state.log.iter();
            log.all(|event| progress(event) == Some(Progress::Committed))
        }),
        Property::always(NUMBERS, |_, state: &State| {
            let numbers = state.log.iter().map(|event| event.number);
            numbers.zip(1..).all(|(number, expected)| number == expected)
        }),
        Property::always(DEPENDENCIES, |_, state: &State| {
            let mut log = state.log.iter();
            log.all(|event| follows_its_dependencies(state, event))
        }),
        Property::always(COMPLETE, |model: &SealingModel, state: &State| {
            !is_at_rest(model, state) || is_complete(state)
        }),
        Property::sometimes(LATE, |_, state: &State| {
            let seqs = state.log.iter().map(|event| state.changes.get(event.change)?.seq);
            !seqs.is_sorted()
        }),
        Property::sometimes(MERGED, |_, state: &State| {
            let mut removed = state.changes.iter().filter(|change| change.is_removed);
            removed.any(|change| change.seq.is_some_and(|seq| contains(&state.chain.unsealed, seq)))
        }),
    ]
}

fn position(state: &State, change: usize) -> Option<usize> {
    state.log.iter().position(|event| event.change == change)
}

fn follows_its_dependencies(state: &State, event: &SealedEvent) -> bool {
    let Some(change) = state.changes.get(event.change) else {
        return false;
    };
    let mut others = (0..state.changes.len()).filter(|&other| change.is_after(other));
    others.all(|other| {
        let mut log = state.log.iter();
        log.any(|it| it.change == other && it.number < event.number)
    })
}

fn is_at_rest(model: &SealingModel, state: &State) -> bool {
    let found = select(state, &state.chain, Look::All, usize::MAX, model.mutant);
    state.sealers.is_empty() && found.is_empty()
}

fn is_complete(state: &State) -> bool {
    let mut changes = state.changes.iter().enumerate();
    changes.all(|(index, change)| change.progress != Progress::Committed || position(state, index).is_some())
}
