//! Pending audit events are sealed as they should be in every order of events within bounds, and
//! each mutant violates the property that it should.

use crate::search;
use modelcheck::sealing::{
    Bounds, COMMITTED, COMPLETE, DEPENDENCIES, LATE, MERGED, Mutant, NUMBERS, ONCE, SealingModel,
};
use stateright::{Checker, HasDiscoveries, Model};

/// Two rows that changes lock, and both.
const ONE: u8 = 0b01;
const OTHER: u8 = 0b10;
const BOTH: u8 = 0b11;

const SMALL: Bounds = Bounds {
    changes: &[ONE, ONE],
    sealers: 2,
    limit: 1,
    ranges: 5,
};

/// The number of steps after which the search for a mutant stops. Some mutants have infinitely many
/// states.
const MOST_STEPS: usize = 24;

/// Searches all states within `bounds`, and requires that those with the properties of `reached`
/// are among them.
fn holds_within(bounds: Bounds, reached: &[&'static str]) {
    let checker = search(SealingModel { bounds, mutant: None }, &bounds);
    for property in [ONCE, COMMITTED, NUMBERS, DEPENDENCIES, COMPLETE] {
        checker.assert_no_discovery(property);
    }
    for property in reached {
        checker.assert_any_discovery(property);
    }
}

#[test]
fn all_properties_hold_for_six_changes_of_two_rows() {
    let bounds = Bounds {
        changes: &[ONE, ONE, OTHER, OTHER, BOTH, BOTH],
        limit: 2,
        ranges: 2,
        ..SMALL
    };
    holds_within(bounds, &[LATE, MERGED]);
}

#[test]
fn all_properties_hold_while_too_many_ranges_are_merged() {
    for ranges in [1, 2] {
        let bounds = Bounds {
            changes: &[ONE, ONE, ONE, OTHER, OTHER],
            ranges,
            ..SMALL
        };
        holds_within(bounds, &[LATE, MERGED]);
    }
}

#[test]
fn all_properties_hold_for_independent_changes_that_are_sealed_together() {
    let bounds = Bounds {
        changes: &[0, 0, 0, 0],
        limit: 3,
        ranges: 2,
        ..SMALL
    };
    holds_within(bounds, &[LATE, MERGED]);
}

/// Returns the smallest bounds in which the search detects the mutant.
fn bounds_for(mutant: Mutant) -> Bounds {
    match mutant {
        Mutant::Watermark | Mutant::NoChainLock => Bounds {
            changes: &[ONE, OTHER],
            ..SMALL
        },
        Mutant::RangesOnlyAboveTheHighest => Bounds {
            changes: &[ONE, ONE, OTHER],
            ..SMALL
        },
        Mutant::DroppedRanges => Bounds {
            changes: &[ONE, ONE, OTHER],
            ranges: 1,
            ..SMALL
        },
        Mutant::HeadThatSurvivesAnAbort
        | Mutant::SealingBeforeTheCommit
        | Mutant::RemovalBeforeTheSealing
        | Mutant::RemovalAfterTheSealing => Bounds {
            changes: &[ONE],
            ..SMALL
        },
        Mutant::RangesThatSurviveAnAbort | Mutant::LimitWithoutOrder | Mutant::NumberDrawnBeforeTheLock => {
            SMALL
        }
    }
}

#[test]
fn the_search_detects_every_mutant() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let bounds = bounds_for(mutant);
        holds_within(bounds, &[]);
        let model = SealingModel {
            bounds,
            mutant: Some(mutant),
        };
        let property = mutant.violates();
        let checker = model
            .checker()
            .threads(2)
            .target_max_depth(MOST_STEPS)
            .finish_when(HasDiscoveries::AnyOf([property].into()))
            .spawn_bfs()
            .join();
        let states = checker.unique_state_count();
        match checker.discovery(property) {
            Some(path) => {
                let actions = path.into_actions();
                println!(
                    "{mutant:?}: violates \"{property}\" after {} steps, {states} states\n    {actions:?}",
                    actions.len()
                );
            }
            None => survivors.push((mutant, states)),
        }
    }
    assert!(survivors.is_empty(), "undetected mutants: {survivors:?}");
}
