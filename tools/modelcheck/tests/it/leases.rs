//! The coherence protocol satisfies its invariant in every order of events within bounds, and each
//! mutant violates it.

use crate::{MOST_STATES, search};
use modelcheck::leases::{Bounds, LeaseModel, Mutant, NEVER, SERVED, Seat};
use stateright::{Checker, HasDiscoveries, Model};

/// One replica and a separate process that revokes.
const SMALL: Bounds = Bounds {
    replicas: 1,
    watched: 0,
    revokers: &[Seat::Separate],
    by_user: false,
    ticks: 4,
    leases: 1,
    requests: 1,
    pauses: 0,
    leaving: false,
};

fn holds_within(bounds: Bounds) {
    let checker = search(LeaseModel { bounds, mutant: None }, &bounds);
    checker.assert_no_discovery(NEVER);
    checker.assert_any_discovery(SERVED);
}

#[test]
fn the_invariant_holds_for_one_replica_and_two_revokers() {
    holds_within(Bounds {
        revokers: &[Seat::Serving, Seat::Separate],
        ..SMALL
    });
}

#[test]
fn the_invariant_holds_for_one_replica_that_loses_leases_and_leaves() {
    holds_within(Bounds {
        leases: 2,
        leaving: true,
        by_user: true,
        ..SMALL
    });
}

#[test]
fn the_invariant_holds_for_one_replica_that_is_paused() {
    holds_within(Bounds { pauses: 1, ..SMALL });
}

#[test]
fn the_invariant_holds_for_two_replicas_and_a_separate_revoker() {
    holds_within(Bounds {
        replicas: 2,
        watched: 1,
        ticks: 2,
        ..SMALL
    });
}

#[test]
fn the_invariant_holds_for_two_replicas_of_which_one_revokes() {
    holds_within(Bounds {
        replicas: 2,
        watched: 1,
        revokers: &[Seat::Serving],
        ticks: 2,
        ..SMALL
    });
}

#[test]
fn the_invariant_holds_for_three_replicas_of_which_one_revokes() {
    holds_within(Bounds {
        replicas: 3,
        watched: 2,
        revokers: &[Seat::Serving],
        ticks: 1,
        ..SMALL
    });
}

/// Returns the smallest bounds in which the search detects the mutant.
fn bounds_for(mutant: Mutant) -> Bounds {
    match mutant {
        Mutant::ReusedLeaseNumbers => Bounds {
            leases: 2,
            requests: 2,
            ..SMALL
        },
        Mutant::LeasesThatInvalidateNothing => Bounds { leases: 2, ..SMALL },
        Mutant::EvictionThatRemovesTheRow => Bounds {
            revokers: &[Seat::Separate, Seat::Separate],
            ..SMALL
        },
        Mutant::PublisherThatSkipsItself => Bounds {
            revokers: &[Seat::Serving],
            ..SMALL
        },
        Mutant::UnnoticedPause => Bounds { pauses: 1, ..SMALL },
        Mutant::JoinWithoutRevalidation => Bounds {
            by_user: true,
            ..SMALL
        },
        _ => SMALL,
    }
}

#[test]
fn the_search_detects_every_mutant() {
    let mut survivors = Vec::new();
    for mutant in Mutant::ALL {
        let model = LeaseModel {
            bounds: bounds_for(mutant),
            mutant: Some(mutant),
        };
        let checker = model
            .checker()
            .threads(2)
            .target_state_count(MOST_STATES)
            .finish_when(HasDiscoveries::AnyFailures)
            .spawn_bfs()
            .join();
        let states = checker.unique_state_count();
        match checker.discovery(NEVER) {
            Some(path) => {
                let actions = path.into_actions();
                println!(
                    "{mutant:?}: detected in {} steps, {states} states\n    {actions:?}",
                    actions.len()
                );
            }
            None => survivors.push((mutant, states)),
        }
    }
    assert!(survivors.is_empty(), "undetected mutants: {survivors:?}");
}
