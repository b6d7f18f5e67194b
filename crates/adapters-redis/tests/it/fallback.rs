//! Attempts are decided while Redis fails and returns.

use super::{IN_TIME, allowed_of, budgets, eventually, in_session, service_client, take};
use adapters_redis::{FallbackThrottle, InCharge, RedisThrottle};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{Attempt, BudgetKind, ThrottleDecision},
};
use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use testkit::{ClosedThrottle, OpenThrottle};
use testservers::{CuttingProxy, ProxyMode, Redis, RedisCluster};
use tokio::task::JoinSet;

/// The fallback's response to every attempt in these tests.
const BY_FALLBACK: ThrottleDecision = ThrottleDecision::Refused {
    retry_after: Duration::from_secs(7),
    budget: BudgetKind::Session,
};

fn over(url: &str) -> Arc<FallbackThrottle> {
    let budgets = budgets(1_000_000, Duration::from_millis(1));
    let primary =
        RedisThrottle::new(service_client(url), "", &budgets).expect("the budgets are within bounds");
    with(Arc::new(primary))
}

fn with(primary: Arc<dyn Throttle>) -> Arc<FallbackThrottle> {
    let fallback = ClosedThrottle {
        retry_after: Duration::from_secs(7),
        budget: BudgetKind::Session,
    };
    Arc::new(FallbackThrottle::new(primary, Arc::new(fallback)))
}

/// Makes one attempt, which must be decided in time.
async fn take_in_time(throttle: &FallbackThrottle) -> ThrottleDecision {
    take_of_in_time(throttle, 1).await
}

async fn take_of_in_time(throttle: &FallbackThrottle, number: u32) -> ThrottleDecision {
    let start = Instant::now();
    let decision = take(throttle, &in_session(number)).await;
    assert!(start.elapsed() < IN_TIME, "{:?}", start.elapsed());
    decision
}

async fn many_in_time(throttle: &Arc<FallbackThrottle>) -> Vec<ThrottleDecision> {
    let mut takers = JoinSet::new();
    for number in 0..64 {
        let throttle = Arc::clone(throttle);
        takers.spawn(async move { take_of_in_time(&throttle, number).await });
    }
    takers.join_all().await
}

async fn until_primary_decides(throttle: &FallbackThrottle) {
    eventually("the primary decides again", async || {
        take_in_time(throttle).await == ThrottleDecision::Allowed && throttle.in_charge() == InCharge::Primary
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_fallback_decides_while_redis_is_down_and_redis_afterwards() {
    let own = Redis::start_own();
    let throttle = over(own.url());
    until_primary_decides(&throttle).await;
    for _ in 0..2 {
        own.kill();
        assert!(many_in_time(&throttle).await.iter().all(|it| *it == BY_FALLBACK));
        assert_eq!(throttle.in_charge(), InCharge::Fallback);
        own.restart();
        until_primary_decides(&throttle).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_decided_in_time_while_redis_hangs() {
    let own = Redis::start_own();
    let throttle = over(own.url());
    until_primary_decides(&throttle).await;
    own.pause();
    let start = Instant::now();
    // This is longer than it takes to give up the connection and to try others.
    while start.elapsed() < Duration::from_secs(4) {
        assert!(many_in_time(&throttle).await.iter().all(|it| *it == BY_FALLBACK));
    }
    own.resume();
    until_primary_decides(&throttle).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_decided_in_time_while_a_cluster_node_hangs() {
    let cluster = RedisCluster::start(6);
    let throttle = over(&cluster.url());
    let all_by_redis = async || {
        many_in_time(&throttle)
            .await
            .iter()
            .all(|it| *it == ThrottleDecision::Allowed)
    };
    eventually("the Cluster decides", all_by_redis).await;
    let [primary, ..] = cluster.nodes() else {
        panic!("the Cluster has no nodes");
    };
    primary.pause();
    eventually("the fallback decides", async || {
        many_in_time(&throttle).await.contains(&BY_FALLBACK)
    })
    .await;
    // The node's replica becomes primary after a few seconds; then the Cluster is complete again.
    eventually("the Cluster decides again", all_by_redis).await;
    primary.resume();
    eventually("the Cluster decides again", all_by_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_attempt_is_decided_while_the_network_drops_packets() {
    let own = Redis::start_own();
    let address: SocketAddr = own.address().parse().expect("the address is valid");
    let proxy = CuttingProxy::forward_to(address).await;
    let throttle = over(&format!("redis://{}", proxy.address()));
    for mode in [ProxyMode::BlackHole, ProxyMode::Cut, ProxyMode::Reset] {
        until_primary_decides(&throttle).await;
        proxy.set(mode);
        eventually("the fallback decides", async || {
            take_in_time(&throttle).await == BY_FALLBACK
        })
        .await;
        proxy.set(ProxyMode::Pass);
        until_primary_decides(&throttle).await;
    }
}

#[tokio::test]
async fn a_service_started_without_redis_uses_it_once_available() {
    let own = Redis::start_own();
    own.kill();
    let throttle = over(own.url());
    assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
    own.restart();
    until_primary_decides(&throttle).await;
}

/// A throttle that can be switched off and counts calls.
#[derive(Default)]
struct SwitchableThrottle {
    is_unavailable: AtomicBool,
    asked: AtomicU32,
    succeeded: AtomicU32,
}

#[async_trait]
impl Throttle for SwitchableThrottle {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.is_unavailable.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable(Box::new(io::Error::other("unavailable"))));
        }
        Ok(ThrottleDecision::Allowed)
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {
        self.succeeded.fetch_add(1, Ordering::Relaxed);
    }
}

#[tokio::test(start_paused = true)]
async fn a_success_goes_to_the_throttle_that_counted_the_attempt() {
    let primary = Arc::new(SwitchableThrottle::default());
    let fallback = Arc::new(SwitchableThrottle::default());
    let successes = || [&primary, &fallback].map(|throttle| throttle.succeeded.load(Ordering::Relaxed));
    let throttle = FallbackThrottle::new(primary.clone(), fallback.clone());
    let attempt = in_session(1);
    let by_primary = take(&throttle, &attempt).await;
    primary.is_unavailable.store(true, Ordering::Relaxed);
    let by_fallback = take(&throttle, &attempt).await;
    assert_eq!(throttle.in_charge(), InCharge::Fallback);
    throttle.succeeded(&attempt, by_primary).await;
    assert_eq!(successes(), [1, 0]);

    primary.is_unavailable.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_secs(1)).await;
    take(&throttle, &attempt).await;
    tokio::task::yield_now().await;
    assert_eq!(throttle.in_charge(), InCharge::Primary);
    throttle.succeeded(&attempt, by_fallback).await;
    assert_eq!(successes(), [1, 1]);

    throttle.succeeded(&attempt, BY_FALLBACK).await;
    assert_eq!(successes(), [1, 1], "a refused attempt took nothing");
}

#[tokio::test(start_paused = true)]
async fn an_unavailable_primary_is_probed_twice_a_second() {
    let primary = Arc::new(SwitchableThrottle::default());
    let throttle = with(Arc::<SwitchableThrottle>::clone(&primary));
    assert_eq!(allowed_of(10, &*throttle, &in_session(1)).await, 10);
    primary.is_unavailable.store(true, Ordering::Relaxed);
    primary.asked.store(0, Ordering::Relaxed);
    // This advances the paused clock by ten seconds.
    for _ in 0..1000 {
        assert_eq!(take(&*throttle, &in_session(1)).await, BY_FALLBACK);
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let asked = primary.asked.load(Ordering::Relaxed);
    assert!((19..=21).contains(&asked), "{asked}");
    primary.is_unavailable.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(
        take(&*throttle, &in_session(1)).await,
        BY_FALLBACK,
        "the attempt does not wait for the probe"
    );
    tokio::task::yield_now().await;
    assert_eq!(throttle.in_charge(), InCharge::Primary);
    assert_eq!(take(&*throttle, &in_session(1)).await, ThrottleDecision::Allowed);
}

/// A throttle that responds once and then never.
#[derive(Default)]
struct HangingThrottle(AtomicU32);

#[async_trait]
impl Throttle for HangingThrottle {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(PortError::Unavailable(Box::new(io::Error::other("unavailable"))));
        }
        pending().await
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {}
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_probe_delays_no_attempt() {
    let throttle = with(Arc::new(HangingThrottle::default()));
    for _ in 0..10 {
        assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

/// A throttle that fails the first request for lack of time and answers the next.
#[derive(Default)]
struct ThrottleShortOfTime(AtomicU32);

#[async_trait]
impl Throttle for ThrottleShortOfTime {
    async fn take(&self, _: &Attempt) -> Result<ThrottleDecision, PortError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(PortError::Overloaded);
        }
        Ok(ThrottleDecision::Allowed)
    }

    async fn succeeded(&self, _: &Attempt, _: ThrottleDecision) {}
}

#[tokio::test]
async fn a_request_without_time_left_does_not_open_the_breaker() {
    let throttle = with(Arc::new(ThrottleShortOfTime::default()));
    assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
    assert_eq!(throttle.in_charge(), InCharge::Primary);
    assert_eq!(take_in_time(&throttle).await, ThrottleDecision::Allowed);
}

#[tokio::test]
async fn an_attempt_fails_if_the_fallback_fails_too() {
    let unavailable = || {
        let throttle = SwitchableThrottle::default();
        throttle.is_unavailable.store(true, Ordering::Relaxed);
        Arc::new(throttle)
    };
    let throttle = FallbackThrottle::new(unavailable(), unavailable());
    for _ in 0..10 {
        assert!(throttle.take(&in_session(1)).await.is_err());
    }
    let open = FallbackThrottle::new(unavailable(), Arc::new(OpenThrottle));
    assert_eq!(
        take(&open, &in_session(1)).await,
        ThrottleDecision::AllowedByFallback,
        "the fallback decides"
    );
}
