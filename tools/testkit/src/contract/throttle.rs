//! The contract of [`Throttle`], except that memory is bounded, which is not observable from
//! outside.

use super::support::{count, race};
use crate::fixtures::canonical;
use domain::{
    ports::Throttle,
    throttle::{ThrottleDecision, ThrottleKey},
};
use std::{net::IpAddr, sync::Arc, time::Duration};

contract! {
    /// Defines a named test for each case of the contract of throttles. `$fresh` is a function that
    /// returns a [`FreshThrottle`](crate::contract::throttle::FreshThrottle).
    throttle_contract = async_cases for throttle(FreshThrottle):
        attempts_beyond_the_budget_are_refused_with_a_time_to_wait,
        keys_do_not_share_budgets,
        an_ipv6_network_shares_one_budget,
        a_refused_attempt_does_not_lengthen_the_wait,
        concurrent_attempts_share_one_budget,
}

/// A throttle whose budgets are all equal and unused.
#[derive(Clone)]
pub struct FreshThrottle {
    pub throttle: Arc<dyn Throttle>,
    /// Number of attempts that each key has before the first refusal. The throttle must not allow
    /// another attempt for minutes, which is longer than any test takes.
    pub burst: u32,
}

impl FreshThrottle {
    async fn take(&self, key: &ThrottleKey) -> ThrottleDecision {
        self.throttle
            .take(key.clone())
            .await
            .expect("the throttle is available")
    }

    async fn exhaust(&self, key: &ThrottleKey) {
        for attempt in 1..=self.burst {
            assert_eq!(
                self.take(key).await,
                ThrottleDecision::Allowed,
                "attempt {attempt}"
            );
        }
    }

    /// Returns how long to wait. Panics if the attempt is allowed.
    async fn refused(&self, key: &ThrottleKey) -> Duration {
        match self.take(key).await {
            ThrottleDecision::Refused { retry_after } => retry_after,
            ThrottleDecision::Allowed => panic!("an attempt beyond the budget of {key:?}"),
        }
    }
}

fn client(address: &str) -> ThrottleKey {
    ThrottleKey::Client(address.parse::<IpAddr>().expect("the address is valid").into())
}

fn account(login: &str) -> ThrottleKey {
    ThrottleKey::Account(canonical(login))
}

async fn attempts_beyond_the_budget_are_refused_with_a_time_to_wait(fresh: &FreshThrottle) {
    for key in [client("192.0.2.1"), client("2001:db8::1"), account("alice")] {
        fresh.exhaust(&key).await;
        assert!(fresh.refused(&key).await > Duration::ZERO, "{key:?}");
    }
}

async fn keys_do_not_share_budgets(fresh: &FreshThrottle) {
    // A login may look like an address.
    for key in [
        client("192.0.2.1"),
        client("192.0.2.2"),
        account("192.0.2.1"),
        client("2001:db8:0:1::1"),
        client("2001:db8:0:2::1"),
        account("alice"),
        account("alice2"),
    ] {
        fresh.exhaust(&key).await;
        fresh.refused(&key).await;
    }
}

async fn an_ipv6_network_shares_one_budget(fresh: &FreshThrottle) {
    fresh.exhaust(&client("2001:db8::1")).await;
    fresh.refused(&client("2001:db8::ffff:1")).await;
}

async fn a_refused_attempt_does_not_lengthen_the_wait(fresh: &FreshThrottle) {
    let key = account("alice");
    fresh.exhaust(&key).await;
    let first = fresh.refused(&key).await;
    for _ in 0..100 {
        assert!(fresh.refused(&key).await <= first);
    }
}

async fn concurrent_attempts_share_one_budget(fresh: &FreshThrottle) {
    let attempts = (0..fresh.burst + 50).map(|_| {
        let fresh = fresh.clone();
        async move { fresh.take(&account("alice")).await }
    });
    let decisions = race(attempts).await;
    let allowed = count(&decisions, |it| *it == ThrottleDecision::Allowed);
    assert_eq!(u32::try_from(allowed), Ok(fresh.burst));
}
