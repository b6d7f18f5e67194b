//! `cargo test -p modelcheck -- --nocapture` prints the number of states of each search, and each
//! counterexample.

mod leases;
mod sealing;

use stateright::{Checker, Model};
use std::{fmt::Debug, hash::Hash, time::Instant};

/// Maximum number of states of one search. A state takes some hundred bytes.
const MOST_STATES: usize = 4_000_000;

/// Searches all states of `model` within `bounds`, and prints their number.
fn search<M>(model: M, bounds: &impl Debug) -> impl Checker<M>
where
    M: Model + Send + Sync + 'static,
    M::State: Clone + PartialEq + Hash + Send + Sync + 'static,
    M::Action: Clone + PartialEq,
{
    let began = Instant::now();
    let checker = model
        .checker()
        .threads(2)
        .target_state_count(MOST_STATES)
        .spawn_bfs()
        .join();
    println!(
        "{} states, {} steps deep, {:?}: {bounds:?}",
        checker.unique_state_count(),
        checker.max_depth(),
        began.elapsed()
    );
    assert!(checker.state_count() < MOST_STATES, "the search did not finish");
    checker
}
