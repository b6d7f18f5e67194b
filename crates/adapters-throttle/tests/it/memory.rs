//! Memory is bounded, and a flood of keys frees no key from its budget.

use super::{SECOND, Timed, allowed_of, log_in, take};
use adapters_throttle::{BudgetRefused, InProcessThrottle, Unthrottled};
use domain::{
    session::SessionId,
    throttle::{Attempt, Budget, Budgets},
};
use std::{
    num::NonZeroU32,
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};
use tokio::runtime::Builder;
use uuid::Uuid;

fn budgets(burst: u32, every: Duration) -> Budgets {
    let budget = Budget {
        burst: NonZeroU32::new(burst).expect("the number is not 0"),
        every,
    };
    Budgets {
        client: budget,
        failures: budget,
        service: Budget {
            burst: NonZeroU32::MAX,
            every: Duration::from_millis(1),
        },
        account: budget,
        session: budget,
        changes: budget,
    }
}

/// An attempt that takes from one budget only.
fn session(number: u32) -> Attempt {
    Attempt::Reauthenticate {
        session: SessionId(Uuid::from_u128(number.into())),
    }
}

#[tokio::test]
async fn a_million_keys_stay_within_the_bound() {
    let timed = Timed::bounded(&budgets(2, 10 * SECOND), 1000);
    for number in 0..1_000_000_u32 {
        // Multiplying by an odd number visits every key once, in a scattered order.
        let _ = timed.take(&session(number.wrapping_mul(2_654_435_761))).await;
        if number % 10_000 == 0 {
            assert!(timed.throttle.keys() <= 1000);
        }
    }
    assert_eq!(timed.throttle.keys(), 1000);
}

#[tokio::test]
async fn turns_stay_within_the_bound_and_those_that_have_passed_are_evicted() {
    // Networks have more attempts than this test makes.
    let many = budgets(1_000_000, SECOND).client;
    let budgets = Budgets {
        client: many,
        failures: many,
        ..budgets(3, 10 * SECOND)
    };
    let timed = Timed::bounded(&budgets, 100);
    for account in 0..10 {
        for network in 0..100 {
            let _ = timed.take(&log_in(&format!("user{account}"), network)).await;
        }
    }
    assert_eq!(timed.throttle.turns(), 400);
    // All turns have passed, and the next sweep finds that.
    timed.clock.advance(Duration::from_hours(13));
    for network in 0..5 {
        let _ = timed.take(&log_in("alice", network)).await;
    }
    assert_eq!(timed.throttle.turns(), 2);
}

#[tokio::test]
async fn keys_beyond_the_bound_share_one_budget_and_known_ones_keep_theirs() {
    let timed = Timed::bounded(&budgets(3, 10 * SECOND), 5);
    for known in 0..5 {
        assert_eq!(timed.allowed_of(1, &session(known)).await, 1);
    }
    let mut allowed = 0;
    for new in 100..200 {
        allowed += timed.allowed_of(2, &session(new)).await;
    }
    assert_eq!(allowed, 3, "all new keys together");
    assert_eq!(timed.throttle.keys(), 5);
    for known in 0..5 {
        assert_eq!(timed.allowed_of(9, &session(known)).await, 2, "key {known}");
    }
}

#[tokio::test]
async fn keys_with_a_full_budget_are_evicted() {
    let timed = Timed::bounded(&budgets(2, 10 * SECOND), 5);
    for old in 0..5 {
        assert_eq!(timed.allowed_of(9, &session(old)).await, 2);
    }
    assert_eq!(timed.allowed_of(9, &session(100)).await, 2, "the shared budget");
    timed.clock.advance(60 * SECOND);
    for new in 200..205 {
        assert_eq!(timed.allowed_of(9, &session(new)).await, 2, "a budget of its own");
    }
    assert_eq!(timed.throttle.keys(), 5);
}

#[tokio::test]
async fn a_key_without_a_full_budget_is_never_evicted() {
    let timed = Timed::bounded(&budgets(2, 10 * SECOND), 3);
    for key in 0..3 {
        assert_eq!(timed.allowed_of(9, &session(key)).await, 2);
    }
    for flood in 100..10_000 {
        let _ = timed.take(&session(flood)).await;
        timed.clock.advance(Duration::from_micros(1));
    }
    for key in 0..3 {
        assert_eq!(timed.allowed_of(9, &session(key)).await, 0, "key {key}");
    }
}

#[test]
fn concurrent_new_keys_do_not_exceed_the_bound() {
    const THREADS: u32 = 4;
    // Repeat many times, since a race would not occur every time.
    let all: Vec<_> = (0..2000)
        .map(|_| Timed::bounded(&budgets(2, 10 * SECOND), 1))
        .collect();
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (all, start) = (&all, &start);
            scope.spawn(move || {
                let runtime = Builder::new_current_thread()
                    .build()
                    .expect("the runtime can be built");
                for timed in all {
                    start.wait();
                    runtime.block_on(timed.take(&session(thread)));
                }
            });
        }
    });
    assert!(all.iter().all(|timed| timed.throttle.keys() == 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_attempts_do_not_exceed_the_budget() {
    let timed = Timed::new(&budgets(50, 10 * SECOND));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let throttle = Arc::clone(&timed.throttle);
            tokio::spawn(async move { allowed_of(500, &*throttle, &session(1)).await })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += task.await.expect("the task does not panic");
    }
    assert_eq!(allowed, 50);
}

#[test]
fn budgets_out_of_bounds_are_rejected() {
    for (burst, every) in [
        (1, Duration::ZERO),
        (1, Duration::MAX),
        (u32::MAX, Duration::from_hours(1)),
    ] {
        let refused = InProcessThrottle::new(&budgets(burst, every)).err();
        assert_eq!(refused, Some(BudgetRefused), "{burst} every {every:?}");
    }
    assert!(InProcessThrottle::new(&Budgets::DEFAULT).is_ok());
}

#[tokio::test]
async fn the_unthrottled_adapter_allows_every_attempt() {
    assert_eq!(allowed_of(10_000, &Unthrottled, &session(1)).await, 10_000);
    let _ = take(&Unthrottled, &log_in("alice", 1)).await;
}
