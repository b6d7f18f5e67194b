//! Guessing in simulated time, over the real throttle: attackers with many networks, owners in
//! known places, and owners with new devices. Each prints a table for `docs/security.md`.
//!
//! `make simulate-guessing` runs the whole size, which `make test` runs in a smaller one.

mod guessing;
mod spray;
mod world;

use guessing::Guessing;
use spray::Spray;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

#[tokio::test]
async fn owners_log_in_and_accounts_are_protected_while_a_few_hundred_networks_guess() {
    let guessing = Guessing {
        networks: 300,
        addresses: 10,
        accounts: 3,
        lasts: DAY,
    };
    guessing.run().await.check(&guessing);
}

#[tokio::test]
#[ignore = "`make simulate-guessing` runs it optimised"]
async fn owners_log_in_and_accounts_are_protected_while_a_thousand_networks_guess() {
    let guessing = Guessing {
        networks: 1000,
        addresses: 10,
        accounts: 100,
        lasts: DAY,
    };
    guessing.run().await.check(&guessing);
}

#[tokio::test]
async fn a_spray_from_one_network_is_stopped_and_affects_no_owner() {
    for is_ipv6 in [false, true] {
        let spray = Spray {
            is_ipv6,
            accounts: 1000,
            hours: 3,
        };
        spray.run().await.check(&spray);
    }
}

#[tokio::test]
#[ignore = "`make simulate-guessing` runs it optimised"]
async fn a_spray_of_a_day_from_one_network_is_stopped_and_affects_no_owner() {
    for is_ipv6 in [false, true] {
        let spray = Spray {
            is_ipv6,
            accounts: 10_000,
            hours: 24,
        };
        spray.run().await.check(&spray);
    }
}
