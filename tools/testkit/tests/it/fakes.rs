use chrono::{Duration, TimeDelta};
use domain::{
    password::Password,
    ports::{
        Clock, HashTicket, KeyUses, PasswordHasher, PasswordMeter, PortError, Replicas, Throttle,
        Verification,
    },
    session::SessionId,
    throttle::{Attempt, BudgetKind, ThrottleDecision},
    token::SignatureRefused,
};
use session_cache::ports::{BusEvent, InvalidationBus, MonotonicClock};
use std::{
    future::{Ready, ready},
    sync::Arc,
};
use testkit::{
    ClosedThrottle, CountingRandomness, FixedClock, MemoryBreachedPasswords, MemoryBus, MemoryLeases,
    MemoryReplicas, MemoryStorage, ModelThrottle, OpenThrottle, PlainHasher, PlainMeter, PlainTokens, Tokens,
    TokioClock, ToyMac,
    contract::{
        breached_passwords::BREACHED,
        invalidation_bus::FreshBus,
        replica_leases::FreshLeases,
        throttle::{BUDGETS, FreshThrottle},
    },
    fixtures::{PASSWORD, a_user, at},
};

fn clock() -> FixedClock {
    FixedClock::new(at(0) + TimeDelta::nanoseconds(999))
}

fn breached_passwords() -> MemoryBreachedPasswords {
    MemoryBreachedPasswords::new(&BREACHED)
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

fn memory_replicas() -> Ready<(Arc<dyn Replicas>, ())> {
    ready((Arc::new(MemoryReplicas::default()), ()))
}

fn memory_key_uses() -> Ready<(Arc<dyn KeyUses>, ())> {
    ready((Arc::new(MemoryStorage::default()), ()))
}

fn tokio_clock() -> Arc<dyn MonotonicClock> {
    Arc::new(TokioClock::default())
}

fn model_throttle() -> FreshThrottle {
    let throttle = Arc::new(ModelThrottle::new(BUDGETS));
    let clock = Arc::clone(&throttle);
    FreshThrottle {
        throttle,
        advance: Some(Arc::new(move |by| clock.advance(by))),
    }
}

testkit::clock_contract!(clock);
testkit::randomness_contract!(CountingRandomness::default);
testkit::password_hasher_contract!(PlainHasher::default);
testkit::password_meter_contract!(PlainMeter::default);
testkit::breached_passwords_contract!(breached_passwords);
testkit::token_contract!(plain_tokens);
testkit::refresh_token_mac_contract!(ToyMac::default);
testkit::throttle_contract!(model_throttle);
testkit::invalidation_bus_contract!(memory_bus);
testkit::replicas_contract!(super::memory_replicas);
testkit::key_uses_contract!(super::memory_key_uses);
testkit::replica_leases_contract!(memory_leases);
testkit::monotonic_clock_contract!(tokio_clock);

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
    let attempt = Attempt::Reauthenticate {
        session: SessionId(uuid::Uuid::nil()),
    };
    for _ in 0..1000 {
        let open = OpenThrottle
            .take(&attempt)
            .await
            .expect("the throttle is available");
        assert_eq!(open, ThrottleDecision::Allowed);
    }
    let (retry_after, budget) = (std::time::Duration::from_secs(7), BudgetKind::Session);
    let closed = ClosedThrottle { retry_after, budget }
        .take(&attempt)
        .await
        .expect("the throttle is available");
    assert_eq!(closed, ThrottleDecision::Refused { retry_after, budget });
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
