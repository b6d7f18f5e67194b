//! The adapter decides like the model of the contract, attempt by attempt.

use super::{Timed, canonical};
use domain::{
    ports::Throttle,
    session::SessionId,
    throttle::{Attempt, Budget, Budgets, Network, Place, ThrottleDecision},
    user::UserId,
};
use proptest::{prelude::*, test_runner::TestCaseResult};
use std::{net::IpAddr, num::NonZeroU32, time::Duration};
use testkit::ModelThrottle;
use tokio::runtime::Builder;
use uuid::Uuid;

#[derive(Clone, Debug)]
enum Step {
    Take(Attempt),
    Succeed(Attempt),
    Advance(Duration),
}

fn budgets() -> impl Strategy<Value = Budgets> {
    let budget = || {
        (1_u32..5, 1_u64..10_000).prop_map(|(burst, seconds)| Budget {
            burst: NonZeroU32::new(burst).expect("the number is not 0"),
            every: Duration::from_secs(seconds),
        })
    };
    (budget(), budget(), budget(), budget(), budget(), budget()).prop_map(
        |(client, failures, service, account, session, changes)| Budgets {
            client,
            failures,
            // Otherwise it would refuse most attempts.
            service: service.times(NonZeroU32::new(8).expect("8 is not 0")),
            account,
            session,
            changes,
        },
    )
}

fn addresses() -> impl Strategy<Value = Option<IpAddr>> {
    let texts = prop::sample::select(vec![
        "192.0.2.1",
        "192.0.2.2",
        "198.51.100.1",
        "203.0.113.1",
        "203.0.112.1",
        "2001:db8:1:100::1",
        "2001:db8:1:101::1",
        "2001:db8:1:200::1",
        "2001:db8:2::1",
    ]);
    prop::option::weighted(
        0.95,
        texts.prop_map(|text| text.parse().expect("the address is valid")),
    )
}

fn attempts() -> impl Strategy<Value = Attempt> {
    let accounts = prop::option::weighted(0.9, prop::sample::select(vec!["alice", "bob"]));
    let session = |number| SessionId(Uuid::from_u128(number));
    let user = |number| UserId(Uuid::from_u128(number));
    let log_in = (accounts, addresses(), 0..8_u128).prop_map(move |(account, address, place)| {
        let place = match (place, address) {
            (0, _) => Place::KnownDevice(session(1)),
            (1, Some(address)) => Place::KnownNetwork(Network::site(address)),
            _ => Place::Unknown,
        };
        Attempt::LogIn {
            account: account.map(canonical),
            address,
            place,
        }
    });
    prop_oneof![
        8 => log_in,
        1 => addresses().prop_map(|address| Attempt::Register { address }),
        1 => (0..2_u128).prop_map(move |number| Attempt::Reauthenticate { session: session(number) }),
        1 => (0..2_u128).prop_map(move |number| Attempt::ChangeOwnAccount { user: user(number) }),
        1 => (0..2_u128).prop_map(move |number| Attempt::ReplayRefreshToken { session: session(number) }),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => attempts().prop_map(Step::Take),
        1 => attempts().prop_map(Step::Succeed),
        2 => (0_u64..8000).prop_map(|seconds| Step::Advance(Duration::from_secs(seconds))),
        1 => (0_u64..200_000).prop_map(|seconds| Step::Advance(Duration::from_secs(seconds))),
    ]
}

async fn check(budgets: Budgets, steps: Vec<Step>) -> TestCaseResult {
    let timed = Timed::new(&budgets);
    let model = ModelThrottle::new(budgets);
    for (number, step) in steps.into_iter().enumerate() {
        match step {
            Step::Take(attempt) => {
                let expected = model.take(&attempt).await.expect("the model does not fail");
                prop_assert_eq!(
                    timed.take(&attempt).await,
                    expected,
                    "step {}: {:?}",
                    number,
                    attempt
                );
            }
            Step::Succeed(attempt) => {
                model.succeeded(&attempt, ThrottleDecision::Allowed).await;
                timed
                    .throttle
                    .succeeded(&attempt, ThrottleDecision::Allowed)
                    .await;
            }
            Step::Advance(by) => {
                model.advance(by);
                timed.clock.advance(by);
            }
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn the_adapter_decides_like_the_model(
        budgets in budgets(),
        steps in prop::collection::vec(steps(), 1..200)
    ) {
        let runtime = Builder::new_current_thread().build().expect("the runtime can be built");
        runtime.block_on(check(budgets, steps))?;
    }
}
