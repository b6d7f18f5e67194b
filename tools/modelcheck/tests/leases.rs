//! The leases' protocol holds in everything that can happen within bounds, and breaks without any one of its rules.
//! `cargo test -p modelcheck -- --nocapture` shows how many states there were, and every counter-example.

use modelcheck::{Bounds, LeaseModel, Mutant, NEVER, SERVED, Seat};
use stateright::{Checker, HasDiscoveries, Model};
use std::time::Instant;

/// One replica, and somebody apart who revokes.
const SMALL: Bounds = Bounds {
    replicas: 1,
    watched: 0,
    revokers: &[Seat::Apart],
    by_user: false,
    ticks: 4,
    leases: 1,
    asks: 1,
    leaving: false,
};

/// A search that goes beyond this has lost its way: some hundred bytes a state.
const MOST_STATES: usize = 4_000_000;

fn holds_within(bounds: Bounds) {
    let began = Instant::now();
    let model = LeaseModel { bounds, mutant: None };
    let checker = model
        .checker()
        .threads(2)
        .target_state_count(MOST_STATES)
        .spawn_bfs()
        .join();
    let states = checker.unique_state_count();
    println!(
        "{states} states, {} steps deep, {:?}: {bounds:?}",
        checker.max_depth(),
        began.elapsed()
    );
    assert!(checker.state_count() < MOST_STATES, "the search was not finished");
    checker.assert_no_discovery(NEVER);
    checker.assert_any_discovery(SERVED);
}

#[test]
fn one_replica_and_two_who_revoke() {
    holds_within(Bounds {
        revokers: &[Seat::Serving, Seat::Apart],
        ..SMALL
    });
}

#[test]
fn one_replica_that_loses_leases_and_leaves() {
    holds_within(Bounds {
        leases: 2,
        leaving: true,
        by_user: true,
        ..SMALL
    });
}

#[test]
fn two_replicas_and_a_command_line() {
    holds_within(Bounds {
        replicas: 2,
        watched: 1,
        ticks: 2,
        ..SMALL
    });
}

#[test]
fn two_replicas_of_which_one_revokes() {
    holds_within(Bounds {
        replicas: 2,
        watched: 1,
        revokers: &[Seat::Serving],
        ticks: 2,
        ..SMALL
    });
}

#[test]
fn three_replicas_of_which_one_revokes() {
    holds_within(Bounds {
        replicas: 3,
        watched: 2,
        revokers: &[Seat::Serving],
        ticks: 1,
        ..SMALL
    });
}

/// The least in which the rule is needed.
fn bounds_for(mutant: Mutant) -> Bounds {
    match mutant {
        Mutant::LeaseNumbersUsedAgain => Bounds {
            leases: 2,
            asks: 2,
            ..SMALL
        },
        Mutant::LeasesThatDoNotRaiseTheCounter => Bounds { leases: 2, ..SMALL },
        Mutant::EvictionThatRemovesTheRow => Bounds {
            revokers: &[Seat::Apart, Seat::Apart],
            ..SMALL
        },
        Mutant::RevokerThatSparesItself => Bounds {
            revokers: &[Seat::Serving],
            ..SMALL
        },
        Mutant::WaiterThatDoesNotLookAgain => Bounds {
            by_user: true,
            ..SMALL
        },
        _ => SMALL,
    }
}

#[test]
fn without_any_one_of_its_rules_the_protocol_breaks() {
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
                    "{mutant:?}: found in {} steps, {states} states\n    {actions:?}",
                    actions.len()
                );
            }
            None => survivors.push((mutant, states)),
        }
    }
    assert!(survivors.is_empty(), "survived: {survivors:?}");
}
