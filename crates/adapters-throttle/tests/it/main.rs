//! Budgets, keys and memory of the throttle, with a clock that the tests advance.

use adapters_throttle::{Budget, BudgetRefused, Budgets, InProcessThrottle, Unthrottled};
use domain::{
    login::{CanonicalLogin, Login},
    ports::Throttle,
    throttle::{ClientNetwork, ThrottleDecision, ThrottleKey},
};
use governor::clock::FakeRelativeClock;
use std::{
    net::Ipv4Addr,
    num::{NonZeroU32, NonZeroUsize},
    sync::{Arc, Barrier},
    thread,
    time::Duration,
};
use testkit::contract::throttle::FreshThrottle;
use tokio::runtime::Builder;

const SECOND: Duration = Duration::from_secs(1);

fn budget(burst: u32, every: Duration) -> Budget {
    Budget {
        burst: NonZeroU32::new(burst).expect("the number is not 0"),
        every,
    }
}

fn budgets(burst: u32, every: Duration, max_keys: usize) -> Budgets {
    Budgets {
        client: budget(burst, every),
        account: budget(burst, every),
        max_keys: NonZeroUsize::new(max_keys).expect("the number is not 0"),
    }
}

fn throttle(budgets: Budgets) -> (Arc<InProcessThrottle<FakeRelativeClock>>, FakeRelativeClock) {
    let clock = FakeRelativeClock::default();
    let throttle = InProcessThrottle::with_clock(budgets, &clock).expect("the budgets are within bounds");
    (Arc::new(throttle), clock)
}

fn client(number: u32) -> ThrottleKey {
    ThrottleKey::Client(ClientNetwork::V4(Ipv4Addr::from(number)))
}

fn account(login: &str) -> ThrottleKey {
    let login = Login::parse(login).expect("the login is valid");
    ThrottleKey::Account(CanonicalLogin::clone(login.canonical()))
}

async fn take(throttle: &dyn Throttle, key: &ThrottleKey) -> ThrottleDecision {
    throttle
        .take(key.clone())
        .await
        .expect("the throttle in memory does not fail")
}

async fn allowed_of(attempts: u32, throttle: &dyn Throttle, key: &ThrottleKey) -> u32 {
    let mut allowed = 0;
    for _ in 0..attempts {
        allowed += u32::from(take(throttle, key).await == ThrottleDecision::Allowed);
    }
    allowed
}

#[tokio::test]
async fn a_budget_is_spent_at_once_and_restored_one_by_one() {
    let (throttle, clock) = throttle(budgets(3, 10 * SECOND, 100));
    let key = client(1);
    assert_eq!(allowed_of(10, &*throttle, &key).await, 3);
    clock.advance(Duration::from_millis(9_999));
    assert_eq!(allowed_of(10, &*throttle, &key).await, 0);
    clock.advance(Duration::from_millis(1));
    assert_eq!(allowed_of(10, &*throttle, &key).await, 1);
    clock.advance(20 * SECOND);
    assert_eq!(allowed_of(10, &*throttle, &key).await, 2);
    clock.advance(1000 * SECOND);
    assert_eq!(allowed_of(10, &*throttle, &key).await, 3);
}

#[tokio::test]
async fn a_refusal_states_the_wait_and_refused_attempts_do_not_extend_it() {
    let (throttle, clock) = throttle(budgets(2, 10 * SECOND, 100));
    let key = account("alice");
    assert_eq!(allowed_of(2, &*throttle, &key).await, 2);
    for waited in 0..10 {
        for _ in 0..100 {
            assert_eq!(
                take(&*throttle, &key).await,
                ThrottleDecision::Refused {
                    retry_after: (10 - waited) * SECOND
                }
            );
        }
        clock.advance(SECOND);
    }
    assert_eq!(take(&*throttle, &key).await, ThrottleDecision::Allowed);
}

#[tokio::test]
async fn keys_and_kinds_of_keys_have_separate_budgets() {
    let budgets = Budgets {
        client: budget(2, SECOND),
        account: budget(5, SECOND),
        ..Budgets::DEFAULT
    };
    let (throttle, _) = throttle(budgets);
    for (key, burst) in [
        (client(1), 2),
        (client(2), 2),
        (account("alice"), 5),
        (account("bob"), 5),
    ] {
        assert_eq!(allowed_of(9, &*throttle, &key).await, burst, "{key:?}");
    }
    assert_eq!(allowed_of(1, &*throttle, &client(1)).await, 0);
}

#[tokio::test]
async fn an_account_permits_at_most_a_hundred_attempts_an_hour_by_default() {
    let (throttle, clock) = throttle(Budgets::DEFAULT);
    let key = account("alice");
    for hour in 0..3 {
        let mut allowed = 0;
        for _ in 0..3600 {
            allowed += allowed_of(3, &*throttle, &key).await;
            clock.advance(SECOND);
        }
        assert!((80..=100).contains(&allowed), "{allowed} in hour {hour}");
    }
}

#[tokio::test]
async fn a_million_keys_stay_within_the_bound() {
    let (throttle, _) = throttle(budgets(2, 10 * SECOND, 1000));
    for number in 0..1_000_000_u32 {
        // Multiplying by an odd number visits every address once, in a scattered order.
        let _ = take(&*throttle, &client(number.wrapping_mul(2_654_435_761))).await;
        if number % 10_000 == 0 {
            assert!(throttle.keys() <= 1000);
        }
    }
    assert_eq!(throttle.keys(), 1000);
}

#[tokio::test]
async fn keys_beyond_the_bound_share_one_budget_and_known_ones_keep_theirs() {
    let (throttle, _) = throttle(budgets(3, 10 * SECOND, 5));
    for known in 0..5 {
        assert_eq!(allowed_of(1, &*throttle, &client(known)).await, 1);
    }
    let mut allowed = 0;
    for new in 100..200 {
        allowed += allowed_of(2, &*throttle, &client(new)).await;
    }
    assert_eq!(allowed, 3, "all new keys together");
    assert_eq!(throttle.keys(), 5);
    for known in 0..5 {
        assert_eq!(
            allowed_of(9, &*throttle, &client(known)).await,
            2,
            "client {known}"
        );
    }
}

#[tokio::test]
async fn keys_with_a_full_budget_are_evicted() {
    let (throttle, clock) = throttle(budgets(2, 10 * SECOND, 5));
    for old in 0..5 {
        assert_eq!(allowed_of(9, &*throttle, &client(old)).await, 2);
    }
    assert_eq!(
        allowed_of(9, &*throttle, &client(100)).await,
        2,
        "the shared budget"
    );
    clock.advance(60 * SECOND);
    for new in 200..205 {
        assert_eq!(
            allowed_of(9, &*throttle, &client(new)).await,
            2,
            "a budget of its own"
        );
    }
    assert_eq!(throttle.keys(), 5);
}

#[tokio::test]
async fn a_key_without_a_full_budget_is_never_evicted() {
    let (throttle, clock) = throttle(budgets(2, 10 * SECOND, 3));
    for key in 0..3 {
        assert_eq!(allowed_of(9, &*throttle, &client(key)).await, 2);
    }
    for flood in 100..10_000 {
        let _ = take(&*throttle, &client(flood)).await;
        clock.advance(Duration::from_micros(1));
    }
    for key in 0..3 {
        assert_eq!(allowed_of(9, &*throttle, &client(key)).await, 0, "client {key}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn concurrent_attempts_do_not_exceed_the_budget() {
    let (throttle, _) = throttle(budgets(50, 10 * SECOND, 100));
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let throttle = Arc::clone(&throttle);
            tokio::spawn(async move { allowed_of(500, &*throttle, &client(1)).await })
        })
        .collect();
    let mut allowed = 0;
    for task in tasks {
        allowed += task.await.expect("the task does not panic");
    }
    assert_eq!(allowed, 50);
}

#[test]
fn concurrent_new_keys_do_not_exceed_the_bound() {
    const THREADS: u32 = 4;
    // Repeat many times, since the race does not occur every time.
    let throttles: Vec<_> = (0..2000)
        .map(|_| throttle(budgets(2, 10 * SECOND, 1)).0)
        .collect();
    let start = Barrier::new(THREADS as usize);
    thread::scope(|scope| {
        for thread in 0..THREADS {
            let (throttles, start) = (&throttles, &start);
            scope.spawn(move || {
                let runtime = Builder::new_current_thread()
                    .build()
                    .expect("the runtime can be built");
                for throttle in throttles {
                    start.wait();
                    runtime.block_on(take(&**throttle, &client(thread)));
                }
            });
        }
    });
    assert!(throttles.iter().all(|throttle| throttle.keys() == 1));
}

#[test]
fn budgets_out_of_bounds_are_rejected() {
    for (burst, every) in [
        (1, Duration::ZERO),
        (1, Duration::MAX),
        (u32::MAX, Duration::from_hours(1)),
    ] {
        let refused = InProcessThrottle::new(budgets(burst, every, 10)).err();
        assert_eq!(refused, Some(BudgetRefused), "{burst} every {every:?}");
    }
    assert!(InProcessThrottle::new(Budgets::DEFAULT).is_ok());
}

#[tokio::test]
async fn the_unthrottled_adapter_allows_every_attempt() {
    assert_eq!(allowed_of(10_000, &Unthrottled, &client(1)).await, 10_000);
}

fn fresh_throttle() -> FreshThrottle {
    let budgets = budgets(5, Duration::from_hours(1), 1000);
    FreshThrottle {
        throttle: Arc::new(InProcessThrottle::new(budgets).expect("the budgets are within bounds")),
        burst: 5,
    }
}

testkit::throttle_contract!(fresh_throttle);
