//! How many attempts an account permits in any hour, whatever the arrival pattern.

use super::{SECOND, Timed, log_in};
use adapters_throttle::MonotonicClock;
use domain::throttle::{Budgets, ThrottleDecision};
use proptest::{prelude::*, test_runner::TestCaseResult};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};
use tokio::runtime::Builder;

const HOUR: Duration = Duration::from_hours(1);
const RESTORED: Duration = Duration::from_secs(40);
/// More networks than an hour has turns.
const NETWORKS: u32 = 150;

/// When a network makes its next attempt.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Now,
    Later(u64),
    /// At the start of its turn.
    Turn,
    /// At the last moment of its turn.
    EndOfTurn,
}

fn moments() -> impl Strategy<Value = Moment> {
    prop_oneof![
        6 => Just(Moment::Now),
        1 => (1_u64..600).prop_map(Moment::Later),
        2 => Just(Moment::Turn),
        2 => Just(Moment::EndOfTurn),
    ]
}

async fn check(steps: Vec<(u32, Moment)>) -> TestCaseResult {
    let timed = Timed::new(&Budgets::DEFAULT);
    // Otherwise the arithmetic of the first hour would begin at 0.
    timed.clock.advance(10 * HOUR);
    let mut starts = HashMap::new();
    let mut last_hour = VecDeque::new();
    for (network, moment) in steps {
        let start = starts.get(&network).copied();
        match (moment, start) {
            (Moment::Later(seconds), _) => timed.clock.advance(Duration::from_secs(seconds)),
            (Moment::Turn, Some(start)) => timed.clock.advance_to(start),
            (Moment::EndOfTurn, Some(start)) => timed.clock.advance_to(start + 2 * RESTORED),
            _ => {}
        }
        let now = timed.clock.now();
        match timed.take(&log_in("alice", network)).await {
            ThrottleDecision::Allowed | ThrottleDecision::AllowedByFallback => {
                starts.remove(&network);
                last_hour.push_back(now);
            }
            ThrottleDecision::Refused { retry_after, .. } => {
                starts.insert(network, now + retry_after);
            }
        }
        while last_hour.front().is_some_and(|at| *at + HOUR < now) {
            last_hour.pop_front();
        }
        prop_assert!(last_hour.len() <= 100, "{} attempts in an hour", last_hour.len());
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_hour_has_more_than_a_hundred_attempts_from_unknown_places(
        steps in prop::collection::vec((0..NETWORKS, moments()), 1..1500)
    ) {
        let runtime = Builder::new_current_thread().build().expect("the runtime can be built");
        runtime.block_on(check(steps))?;
    }
}

/// The worst case: the burst at once, and each restored attempt by a network that waits for it.
#[tokio::test]
async fn an_account_permits_a_hundred_attempts_in_the_worst_hour() {
    let timed = Timed::new(&Budgets::DEFAULT);
    let mut allowed = 0;
    for step in 0..=360 {
        for network in 0..20 {
            let decision = timed.take(&log_in("alice", network)).await;
            allowed += u32::from(decision == ThrottleDecision::Allowed);
        }
        if step < 360 {
            timed.clock.advance(10 * SECOND);
        }
    }
    assert_eq!(allowed, 100);
}
