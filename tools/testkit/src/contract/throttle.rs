//! The contract of [`Throttle`], except that memory is bounded, which is not observable from
//! outside.

mod attempts;
mod turns;

use super::support::{count, race};
use attempts::{at_account, at_device, at_home, change_of, from, in_session, register, replay_in};
use domain::{
    ports::Throttle,
    throttle::{Attempt, Budget, BudgetKind, Budgets, ThrottleDecision, Width},
};
use std::{num::NonZeroU32, sync::Arc, time::Duration};
use turns::{
    a_network_has_one_turn_at_an_account, a_turn_can_be_used_for_two_restorations_and_is_then_lost,
    a_turn_leads_to_an_attempt_that_others_cannot_take, networks_beyond_the_horizon_get_no_turn,
    only_a_refusal_by_the_account_alone_assigns_a_turn, waiting_networks_get_successive_turns,
};

contract! {
    /// Defines a named test for each case of the contract of throttles. `$fresh` is a function that
    /// returns a [`FreshThrottle`](crate::contract::throttle::FreshThrottle).
    throttle_contract = async_cases for throttle(FreshThrottle):
        attempts_beyond_each_budget_are_refused_with_its_kind_and_a_time_to_wait,
        keys_do_not_share_budgets,
        an_ipv6_network_shares_one_budget,
        wider_networks_limit_narrower_ones,
        the_budget_of_the_service_limits_unknown_places_only,
        attempts_from_unknown_places_leave_known_ones_alone,
        a_refused_attempt_takes_nothing_from_any_budget,
        the_wait_is_that_of_the_budget_with_the_longest,
        a_refused_attempt_does_not_lengthen_the_wait,
        concurrent_attempts_share_one_budget,
        attempts_are_restored_one_by_one,
        a_success_returns_what_it_took_from_budgets_of_failures,
        a_success_fills_no_budget_beyond_its_size,
        waiting_networks_get_successive_turns,
        a_network_has_one_turn_at_an_account,
        networks_beyond_the_horizon_get_no_turn,
        only_a_refusal_by_the_account_alone_assigns_a_turn,
        a_turn_leads_to_an_attempt_that_others_cannot_take,
        a_turn_can_be_used_for_two_restorations_and_is_then_lost,
}

/// The budgets of a [`FreshThrottle`]. They restore no attempt for minutes, which is longer than
/// any test takes.
pub const BUDGETS: Budgets = Budgets {
    client: hourly(6),
    failures: hourly(4),
    service: hourly(20),
    account: hourly(3),
    session: hourly(2),
    changes: hourly(3),
};

/// A throttle with [`BUDGETS`], all unused.
#[derive(Clone)]
pub struct FreshThrottle {
    pub throttle: Arc<dyn Throttle>,
    /// Advances the time of the throttle. Without it, cases about time are skipped.
    pub advance: Option<Arc<dyn Fn(Duration) + Send + Sync>>,
}

/// Longer than any test takes.
const A_WHILE: Duration = Duration::from_mins(2);

const fn hourly(burst: u32) -> Budget {
    Budget {
        burst: NonZeroU32::new(burst).expect("the burst is not 0"),
        every: Duration::from_hours(1),
    }
}

impl FreshThrottle {
    async fn take(&self, attempt: &Attempt) -> ThrottleDecision {
        self.throttle
            .take(attempt)
            .await
            .expect("the throttle is available")
    }

    async fn allowed(&self, attempt: &Attempt) {
        assert_eq!(self.take(attempt).await, ThrottleDecision::Allowed, "{attempt:?}");
    }

    async fn succeeded(&self, attempt: &Attempt) {
        let decision = ThrottleDecision::Allowed;
        self.throttle.succeeded(attempt, decision).await;
    }

    async fn all_allowed(&self, attempts: impl IntoIterator<Item = Attempt>) {
        for attempt in attempts {
            self.allowed(&attempt).await;
        }
    }

    /// Returns how long to wait. Panics unless a budget of `kind` refuses the attempt.
    async fn refused(&self, attempt: &Attempt, kind: BudgetKind) -> Duration {
        match self.take(attempt).await {
            ThrottleDecision::Refused { retry_after, budget } => {
                assert_eq!(budget, kind, "{attempt:?}");
                retry_after
            }
            allowed => panic!("{allowed:?} beyond the budget: {attempt:?}"),
        }
    }
}

/// Panics unless `wait` is what is left of `expected` after the time that a test takes.
fn check_wait(wait: Duration, expected: Duration) {
    let is_expected = wait <= expected && wait + A_WHILE > expected;
    assert!(is_expected, "{wait:?} instead of {expected:?}");
}

/// For each budget that one source can use up: as many attempts as the budget has, and one more.
fn sources() -> Vec<(BudgetKind, Vec<Attempt>)> {
    let repeated = |attempt: Attempt, times: usize| vec![attempt; times];
    vec![
        (
            BudgetKind::Network(Width::Client),
            repeated(register("192.0.2.1"), 7),
        ),
        (
            BudgetKind::Failures(Width::Client),
            (0..5).map(|number| from("198.51.100.1", number)).collect(),
        ),
        (
            BudgetKind::Account,
            (0..4).map(|number| at_account("alice", number)).collect(),
        ),
        (
            BudgetKind::LocalFailures,
            (0..37)
                .map(|number| at_home(&format!("user{number}"), 1))
                .collect(),
        ),
        (BudgetKind::KnownPlace, repeated(at_home("bob", 2), 4)),
        (BudgetKind::KnownPlace, repeated(at_device("bob", 1), 4)),
        (BudgetKind::Session, repeated(in_session(1), 3)),
        (BudgetKind::Changes, repeated(change_of(1), 4)),
        (BudgetKind::Replays, repeated(replay_in(1), 4)),
    ]
}

async fn attempts_beyond_each_budget_are_refused_with_its_kind_and_a_time_to_wait(fresh: &FreshThrottle) {
    for (kind, mut attempts) in sources() {
        let beyond = attempts.pop().expect("a source has attempts");
        fresh.all_allowed(attempts).await;
        let wait = fresh.refused(&beyond, kind).await;
        assert!(
            wait > Duration::ZERO && wait <= BUDGETS.of(kind).every,
            "{wait:?}"
        );
    }
}

async fn keys_do_not_share_budgets(fresh: &FreshThrottle) {
    // A login may look like an address.
    for (attempts, burst, kind) in [
        (vec![register("192.0.2.1")], 6, BudgetKind::Network(Width::Client)),
        (vec![register("192.0.3.1")], 6, BudgetKind::Network(Width::Client)),
        (vec![at_home("192.0.2.1", 1)], 3, BudgetKind::KnownPlace),
        (vec![at_home("192.0.2.1", 2)], 3, BudgetKind::KnownPlace),
        (vec![at_home("alice", 1)], 3, BudgetKind::KnownPlace),
        (vec![at_home("alice2", 1)], 3, BudgetKind::KnownPlace),
        (vec![at_device("alice", 1)], 3, BudgetKind::KnownPlace),
        (vec![at_device("alice", 2)], 3, BudgetKind::KnownPlace),
        (vec![at_device("alice2", 1)], 3, BudgetKind::KnownPlace),
        (vec![in_session(1)], 2, BudgetKind::Session),
        (vec![in_session(2)], 2, BudgetKind::Session),
        // The ids of users and sessions may be equal.
        (vec![change_of(1)], 3, BudgetKind::Changes),
        (vec![change_of(2)], 3, BudgetKind::Changes),
        (vec![replay_in(1)], 3, BudgetKind::Replays),
        (vec![replay_in(2)], 3, BudgetKind::Replays),
    ] {
        let attempt = attempts.first().expect("there is an attempt");
        fresh.all_allowed(vec![attempt.clone(); burst]).await;
        fresh.refused(attempt, kind).await;
    }
    for account in ["alice", "alice2"] {
        let offset = if account == "alice" { 0 } else { 10 };
        fresh
            .all_allowed((0..3).map(|number| at_account(account, offset + number)))
            .await;
        fresh
            .refused(&at_account(account, offset + 3), BudgetKind::Account)
            .await;
    }
}

async fn an_ipv6_network_shares_one_budget(fresh: &FreshThrottle) {
    fresh.all_allowed(vec![register("2001:db8::1"); 6]).await;
    let client = BudgetKind::Network(Width::Client);
    fresh.refused(&register("2001:db8::ffff:1"), client).await;
    fresh.allowed(&register("2001:db8:0:1::1")).await;
}

async fn wider_networks_limit_narrower_ones(fresh: &FreshThrottle) {
    for host in 1..=4 {
        let address = format!("192.0.2.{host}");
        fresh.all_allowed(vec![register(&address); 6]).await;
    }
    let site = BudgetKind::Network(Width::Site);
    fresh.refused(&register("192.0.2.5"), site).await;
    fresh.allowed(&register("192.0.3.5")).await;
}

async fn the_budget_of_the_service_limits_unknown_places_only(fresh: &FreshThrottle) {
    for number in 0..20 {
        fresh.allowed(&at_account(&format!("user{number}"), number)).await;
    }
    fresh.refused(&at_account("alice", 99), BudgetKind::Service).await;
    fresh
        .all_allowed([
            at_home("alice", 1),
            at_device("alice", 1),
            in_session(1),
            register("192.0.2.1"),
        ])
        .await;
}

async fn attempts_from_unknown_places_leave_known_ones_alone(fresh: &FreshThrottle) {
    fresh
        .all_allowed((0..3).map(|number| at_account("alice", number)))
        .await;
    for number in 0..50 {
        fresh
            .refused(&at_account("alice", number), BudgetKind::Account)
            .await;
    }
    fresh.all_allowed(vec![at_home("alice", 1); 3]).await;
    fresh.all_allowed(vec![at_device("alice", 1); 3]).await;
}

async fn a_refused_attempt_takes_nothing_from_any_budget(fresh: &FreshThrottle) {
    fresh
        .all_allowed((1..=3).map(|number| at_account("bob", number)))
        .await;
    for _ in 0..30 {
        fresh.refused(&at_account("bob", 200), BudgetKind::Account).await;
    }
    // The address, with its 4 failures, and the service, with its 20, have all their attempts.
    let client = BudgetKind::Failures(Width::Client);
    fresh
        .all_allowed((0..4).map(|number| from(&attempts::address(200), number)))
        .await;
    fresh.refused(&from(&attempts::address(200), 4), client).await;
    for number in 0..13 {
        fresh
            .allowed(&at_account(&format!("user{number}"), 100 + number))
            .await;
    }
    fresh
        .refused(&at_account("alice", 220), BudgetKind::Service)
        .await;
}

async fn the_wait_is_that_of_the_budget_with_the_longest(fresh: &FreshThrottle) {
    // Of an address and its site, the address has the longer wait.
    for host in 1..=4 {
        let address = format!("192.0.2.{host}");
        fresh.all_allowed(vec![register(&address); 6]).await;
    }
    let wait = fresh
        .refused(&register("192.0.2.1"), BudgetKind::Network(Width::Client))
        .await;
    assert!(
        wait > BUDGETS.of(BudgetKind::Network(Width::Site)).every,
        "{wait:?}"
    );
    // Of a site and an account, the account has the longer wait.
    fresh
        .all_allowed((0..3).map(|number| at_account("alice", number)))
        .await;
    for host in 1..=3 {
        let address = format!("198.51.100.{host}");
        fresh
            .all_allowed((0..4).map(|number| from(&address, number)))
            .await;
    }
    let site = BudgetKind::Failures(Width::Site);
    fresh.refused(&from("198.51.100.4", 5), site).await;
    let wait = fresh
        .refused(&attempts::log_in("alice", "198.51.100.4"), BudgetKind::Account)
        .await;
    assert!(wait > BUDGETS.of(site).every, "{wait:?}");
}

async fn a_refused_attempt_does_not_lengthen_the_wait(fresh: &FreshThrottle) {
    for (kind, mut attempts) in sources() {
        let beyond = attempts.pop().expect("a source has attempts");
        fresh.all_allowed(attempts).await;
        let first = fresh.refused(&beyond, kind).await;
        for _ in 0..100 {
            assert!(fresh.refused(&beyond, kind).await <= first, "{beyond:?}");
        }
    }
}

async fn concurrent_attempts_share_one_budget(fresh: &FreshThrottle) {
    let attempts = (0..50).map(|number| {
        let fresh = fresh.clone();
        async move { fresh.take(&at_account("alice", number)).await }
    });
    let decisions = race(attempts).await;
    assert_eq!(count(&decisions, |it| *it == ThrottleDecision::Allowed), 3);
}

async fn attempts_are_restored_one_by_one(fresh: &FreshThrottle) {
    let Some(advance) = &fresh.advance else {
        return;
    };
    let attempt = in_session(1);
    fresh.all_allowed(vec![attempt.clone(); 2]).await;
    for _ in 0..3 {
        advance(Duration::from_mins(50));
        let wait = fresh.refused(&attempt, BudgetKind::Session).await;
        check_wait(wait, Duration::from_mins(10));
        advance(wait);
        fresh.allowed(&attempt).await;
    }
    advance(Duration::from_hours(1000));
    fresh.all_allowed(vec![attempt.clone(); 2]).await;
    fresh.refused(&attempt, BudgetKind::Session).await;
}

async fn a_success_returns_what_it_took_from_budgets_of_failures(fresh: &FreshThrottle) {
    // An address has 4 failures, but 6 attempts.
    for number in 0..6 {
        let attempt = from("192.0.2.1", number);
        fresh.allowed(&attempt).await;
        fresh.succeeded(&attempt).await;
    }
    let client = BudgetKind::Network(Width::Client);
    fresh.refused(&from("192.0.2.1", 6), client).await;
    // The budgets of accounts and of known places count successes too.
    for (attempts, kind) in [
        (
            [0, 1, 2, 3].map(|number| at_account("bob", number)),
            BudgetKind::Account,
        ),
        ([0; 4].map(|_| at_home("bob", 1)), BudgetKind::KnownPlace),
    ] {
        let [beyond, allowed @ ..] = attempts;
        for attempt in allowed {
            fresh.allowed(&attempt).await;
            fresh.succeeded(&attempt).await;
        }
        fresh.refused(&beyond, kind).await;
    }
    // A known network has 36 failures, and the successes above count as none.
    fresh
        .all_allowed((0..36).map(|number| at_home(&format!("user{number}"), 1)))
        .await;
    fresh
        .refused(&at_home("alice", 1), BudgetKind::LocalFailures)
        .await;
}

async fn a_success_fills_no_budget_beyond_its_size(fresh: &FreshThrottle) {
    for _ in 0..10 {
        fresh.succeeded(&from("192.0.2.1", 0)).await;
    }
    fresh.allowed(&from("192.0.2.1", 0)).await;
    for _ in 0..10 {
        fresh.succeeded(&from("192.0.2.1", 0)).await;
    }
    fresh
        .all_allowed((1..5).map(|number| from("192.0.2.1", number)))
        .await;
    let client = BudgetKind::Failures(Width::Client);
    fresh.refused(&from("192.0.2.1", 5), client).await;
}
