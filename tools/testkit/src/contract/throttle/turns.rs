//! The cases about turns. The budget of an account has three attempts and restores one an hour.

use super::{
    A_WHILE, FreshThrottle,
    attempts::{at_account, from, log_in},
    check_wait,
};
use domain::throttle::{BudgetKind, TURN_HORIZON, Width};
use std::time::Duration;

const HOUR: Duration = Duration::from_hours(1);

impl FreshThrottle {
    /// Uses up the budget of `alice`, from networks that need no turn.
    async fn exhaust_account(&self) {
        self.all_allowed((0..3).map(|number| at_account("alice", number)))
            .await;
    }

    /// Returns the wait of the network with this number at the account.
    async fn account_wait(&self, number: u8) -> Duration {
        self.refused(&at_account("alice", number), BudgetKind::Account)
            .await
    }
}

fn check_hour(wait: Duration, hour: u32) {
    let latest = HOUR * hour;
    assert!(
        wait <= latest && wait + A_WHILE > latest,
        "{wait:?} is not {hour} h"
    );
}

pub(super) async fn waiting_networks_get_successive_turns(fresh: &FreshThrottle) {
    fresh.exhaust_account().await;
    for hour in 1..=5 {
        let number = u8::try_from(hour).expect("the number is small");
        check_hour(fresh.account_wait(10 + number).await, hour);
    }
    // Other accounts have turns of their own.
    fresh
        .all_allowed((20..23).map(|number| at_account("bob", number)))
        .await;
    let wait = fresh.refused(&at_account("bob", 11), BudgetKind::Account).await;
    check_hour(wait, 1);
}

pub(super) async fn a_network_has_one_turn_at_an_account(fresh: &FreshThrottle) {
    fresh.exhaust_account().await;
    for _ in 0..20 {
        check_hour(fresh.account_wait(10).await, 1);
        // Another address of the network.
        let neighbour = log_in("alice", "203.0.10.77");
        check_hour(fresh.refused(&neighbour, BudgetKind::Account).await, 1);
    }
    check_hour(fresh.account_wait(11).await, 2);
    check_hour(fresh.account_wait(10).await, 1);
}

pub(super) async fn networks_beyond_the_horizon_get_no_turn(fresh: &FreshThrottle) {
    fresh.exhaust_account().await;
    for hour in 1..=12 {
        let number = u8::try_from(hour).expect("the number is small");
        check_hour(fresh.account_wait(10 + number).await, hour);
    }
    for number in 30..40 {
        let wait = fresh.account_wait(number).await;
        assert!(wait > TURN_HORIZON, "{wait:?}");
        check_hour(wait, 13);
    }
    check_hour(fresh.account_wait(11).await, 1);
}

pub(super) async fn only_a_refusal_by_the_account_alone_assigns_a_turn(fresh: &FreshThrottle) {
    fresh.exhaust_account().await;
    fresh
        .all_allowed((0..4).map(|number| from("198.51.100.1", number)))
        .await;
    let client = BudgetKind::Failures(Width::Client);
    fresh.refused(&from("198.51.100.1", 4), client).await;
    for _ in 0..5 {
        let both = fresh.throttle.take(&log_in("alice", "198.51.100.1")).await;
        both.expect("the throttle is available");
    }
    check_hour(fresh.account_wait(10).await, 1);
}

pub(super) async fn a_turn_leads_to_an_attempt_that_others_cannot_take(fresh: &FreshThrottle) {
    let Some(advance) = &fresh.advance else {
        return;
    };
    fresh.exhaust_account().await;
    check_hour(fresh.account_wait(10).await, 1);
    advance(HOUR / 2);
    check_wait(fresh.account_wait(10).await, HOUR / 2);
    advance(HOUR / 2);
    // The attempt that is restored now is reserved.
    check_hour(fresh.account_wait(11).await, 1);
    fresh.allowed(&at_account("alice", 10)).await;
    // The turn has ended, so the network gets the next one.
    check_hour(fresh.account_wait(10).await, 2);
    advance(HOUR);
    fresh.allowed(&at_account("alice", 11)).await;
}

pub(super) async fn a_turn_can_be_used_for_two_restorations_and_is_then_lost(fresh: &FreshThrottle) {
    let Some(advance) = &fresh.advance else {
        return;
    };
    fresh.exhaust_account().await;
    check_hour(fresh.account_wait(10).await, 1);
    check_hour(fresh.account_wait(11).await, 2);
    advance((3 * HOUR).saturating_sub(A_WHILE));
    // The last moment of the first turn.
    fresh.allowed(&at_account("alice", 10)).await;
    check_wait(fresh.account_wait(12).await, A_WHILE);
    advance(HOUR + 2 * A_WHILE);
    // The second turn is lost, and what the budget regained meanwhile is for any network.
    fresh.allowed(&at_account("alice", 13)).await;
    check_wait(fresh.account_wait(11).await, HOUR.saturating_sub(A_WHILE));
    fresh.allowed(&at_account("alice", 12)).await;
}
