use async_trait::async_trait;
use chrono::{Duration, TimeDelta};
use domain::{
    password::Password,
    ports::{Clock, HashTicket, PasswordHasher, PasswordMeter, PortError, Throttle, Verification},
    throttle::{ThrottleDecision, ThrottleKey},
    token::SignatureRefused,
};
use session_cache::ports::{BusEvent, InvalidationBus, MonotonicClock};
use std::{
    collections::HashMap,
    future::{Ready, ready},
    sync::{Arc, Mutex},
};
use testkit::{
    ClosedThrottle, CountingRandomness, FixedClock, MemoryBus, MemoryLeases, OpenThrottle, PlainHasher,
    PlainMeter, PlainTokens, Tokens, TokioClock, ToyMac,
    contract::{invalidation_bus::FreshBus, replica_leases::FreshLeases, throttle::FreshThrottle},
    fixtures::{PASSWORD, a_user, at, canonical},
};

fn clock() -> FixedClock {
    FixedClock::new(at(0) + TimeDelta::nanoseconds(999))
}

fn plain_tokens() -> Tokens {
    PlainTokens::default().tokens()
}

fn memory_bus() -> FreshBus {
    let bus = Arc::new(MemoryBus::default());
    FreshBus {
        bus: bus.clone(),
        other: bus,
    }
}

fn memory_leases() -> Ready<(FreshLeases, ())> {
    let leases = Arc::new(MemoryLeases::default());
    let fresh = FreshLeases {
        leases: leases.clone(),
        other: leases,
    };
    ready((fresh, ()))
}

fn tokio_clock() -> Arc<dyn MonotonicClock> {
    Arc::new(TokioClock::default())
}

fn counting_throttle() -> FreshThrottle {
    FreshThrottle {
        throttle: Arc::new(CountingThrottle::default()),
        burst: CountingThrottle::BURST,
    }
}

testkit::clock_contract!(clock);
testkit::randomness_contract!(CountingRandomness::default);
testkit::password_hasher_contract!(PlainHasher::default);
testkit::password_meter_contract!(PlainMeter::default);
testkit::token_contract!(plain_tokens);
testkit::refresh_token_mac_contract!(ToyMac::default);
testkit::throttle_contract!(counting_throttle);
testkit::invalidation_bus_contract!(memory_bus);
testkit::replica_leases_contract!(memory_leases);
testkit::monotonic_clock_contract!(tokio_clock);

/// The simplest throttle that fulfils the contract: its budgets are never refilled.
#[derive(Default)]
struct CountingThrottle(Mutex<HashMap<ThrottleKey, u32>>);

impl CountingThrottle {
    const BURST: u32 = 3;
}

#[async_trait]
impl Throttle for CountingThrottle {
    async fn take(&self, key: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        let mut taken = self.0.lock().expect("no thread panics while it holds the lock");
        let taken = taken.entry(key).or_default();
        if *taken == Self::BURST {
            let retry_after = std::time::Duration::from_mins(1);
            return Ok(ThrottleDecision::Refused { retry_after });
        }
        *taken += 1;
        Ok(ThrottleDecision::Allowed)
    }
}

fn password() -> Password {
    Password::new(PASSWORD.to_owned())
}

#[test]
fn a_fixed_clock_moves_only_when_it_is_advanced() {
    let clock = FixedClock::new(at(0));
    assert_eq!(clock.now(), at(0));
    clock.advance(Duration::seconds(90));
    assert_eq!(clock.now(), at(90));
    clock.advance(Duration::seconds(-90));
    assert_eq!(clock.now(), at(0));
}

#[tokio::test]
async fn a_fixture_user_has_the_fixture_password() {
    let verified = PlainHasher::default()
        .verify(password(), Some(a_user("alice").hash), &mut HashTicket::default())
        .await;
    assert!(matches!(verified, Ok(Verification::Right)));
}

#[tokio::test]
async fn a_hasher_returns_errors_while_it_is_overloaded() {
    let hasher = PlainHasher::default();
    hasher.set_overloaded(true);
    assert!(matches!(
        hasher.hash(password(), &mut HashTicket::default()).await,
        Err(PortError::Overloaded)
    ));
    assert!(matches!(
        hasher.verify(password(), None, &mut HashTicket::default()).await,
        Err(PortError::Overloaded)
    ));
    hasher.set_overloaded(false);
    assert!(hasher.hash(password(), &mut HashTicket::default()).await.is_ok());
}

#[tokio::test]
async fn only_hashes_made_before_the_call_of_outdate_are_outdated() {
    let hasher = PlainHasher::default();
    let old = hasher
        .hash(password(), &mut HashTicket::default())
        .await
        .expect("the hasher is available");
    hasher.outdate();
    let new = hasher
        .hash(password(), &mut HashTicket::default())
        .await
        .expect("the hasher is available");
    for (hash, verified) in [
        (old, Verification::RightButOutdated),
        (a_user("alice").hash, Verification::RightButOutdated),
        (new, Verification::Right),
    ] {
        assert_eq!(
            hasher
                .verify(password(), Some(hash), &mut HashTicket::default())
                .await
                .expect("the hasher is available"),
            verified
        );
    }
}

#[tokio::test]
async fn a_meter_returns_errors_while_it_is_overloaded() {
    let meter = PlainMeter::default();
    meter.set_overloaded(true);
    assert!(matches!(
        meter
            .rate(password(), Vec::new(), &mut HashTicket::default())
            .await,
        Err(PortError::Overloaded)
    ));
    meter.set_overloaded(false);
    let strength = meter
        .rate(password(), Vec::new(), &mut HashTicket::default())
        .await
        .expect("the meter is available");
    assert!(strength.score >= 2, "{strength:?}");
}

#[test]
fn plain_tokens_of_another_key_are_invalid() {
    let claims = domain::token::AccessClaims {
        iss: String::new(),
        aud: String::new(),
        sub: uuid::Uuid::nil(),
        client_id: String::new(),
        iat: 0,
        exp: 0,
        jti: uuid::Uuid::nil(),
        sid: uuid::Uuid::nil(),
        epoch: 0,
        roles: domain::role::RoleNames::new(),
        auth_time: None,
        permissions: None,
    };
    let token = PlainTokens::new(1)
        .tokens()
        .signer
        .sign(&claims)
        .expect("signing succeeds");
    let verify = |key| PlainTokens::new(key).tokens().verifier.verify(token.expose());
    assert!(verify(1).is_ok());
    assert_eq!(verify(2), Err(SignatureRefused::Invalid));
}

#[tokio::test]
async fn an_open_throttle_allows_every_attempt_and_a_closed_one_refuses_it() {
    let retry_after = std::time::Duration::from_secs(7);
    let key = ThrottleKey::Account(canonical("alice"));
    for _ in 0..1000 {
        let open = OpenThrottle
            .take(key.clone())
            .await
            .expect("the throttle is available");
        assert_eq!(open, ThrottleDecision::Allowed);
    }
    let closed = ClosedThrottle { retry_after }
        .take(key)
        .await
        .expect("the throttle is available");
    assert_eq!(closed, ThrottleDecision::Refused { retry_after });
}

#[tokio::test]
async fn a_subscription_reports_a_gap_after_a_reconnect_or_an_overflow() {
    let bus = MemoryBus::default();
    let mut subscription = bus.subscribe().await.expect("the bus accepts the subscription");
    bus.tear();
    assert_eq!(subscription.next().await, BusEvent::Reconnected);
    for _ in 0..2000 {
        bus.publish(vec![1])
            .await
            .expect("a memory bus accepts every message");
    }
    assert_eq!(subscription.next().await, BusEvent::Reconnected);
    assert_eq!(subscription.next().await, BusEvent::Message(vec![1]));
}
