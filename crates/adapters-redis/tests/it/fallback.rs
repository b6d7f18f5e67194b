//! Redis goes and comes back; attempts are decided throughout.

use super::{allowed_of, budgets, client_key, eventually, hasty_client, take};
use adapters_redis::{FallbackThrottle, InCharge, RedisThrottle};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Throttle},
    throttle::{ThrottleDecision, ThrottleKey},
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

/// What the service promises of an attempt while Redis is away.
const BOUND: Duration = Duration::from_millis(500);
/// The service promises two seconds; one more is for a busy machine.
const RECOVERY: Duration = Duration::from_secs(3);
/// What the fallback of these tests answers to everything.
const BY_FALLBACK: ThrottleDecision = ThrottleDecision::Refused {
    retry_after: Duration::from_secs(7),
};

fn over(url: &str) -> Arc<FallbackThrottle> {
    let budgets = budgets(1_000_000, Duration::from_millis(1));
    let primary = RedisThrottle::new(hasty_client(url), "", budgets).expect("budgets that can be counted");
    with(Arc::new(primary))
}

fn with(primary: Arc<dyn Throttle>) -> Arc<FallbackThrottle> {
    let retry_after = Duration::from_secs(7);
    Arc::new(FallbackThrottle::new(
        primary,
        Arc::new(ClosedThrottle { retry_after }),
    ))
}

/// One attempt, which must be decided in time.
async fn take_in_time(throttle: &FallbackThrottle) -> ThrottleDecision {
    take_of_in_time(throttle, 1).await
}

async fn take_of_in_time(throttle: &FallbackThrottle, number: u32) -> ThrottleDecision {
    let start = Instant::now();
    let decision = take(throttle, &client_key(number)).await;
    assert!(start.elapsed() < BOUND, "{:?}", start.elapsed());
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

async fn primary_is_in_charge_again(throttle: &FallbackThrottle) -> Duration {
    eventually("the primary decides again", async || {
        take_in_time(throttle).await == ThrottleDecision::Allowed && throttle.in_charge() == InCharge::Primary
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_dead_the_fallback_decides_and_then_redis_again() {
    let own = Redis::start_own();
    let throttle = over(own.url());
    primary_is_in_charge_again(&throttle).await;
    for _ in 0..2 {
        own.kill();
        assert!(many_in_time(&throttle).await.iter().all(|it| *it == BY_FALLBACK));
        assert_eq!(throttle.in_charge(), InCharge::Fallback);
        own.restart();
        let recovery = primary_is_in_charge_again(&throttle).await;
        assert!(recovery < RECOVERY, "{recovery:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_redis_is_held_still_every_attempt_is_decided_in_time() {
    let own = Redis::start_own();
    let throttle = over(own.url());
    primary_is_in_charge_again(&throttle).await;
    own.pause();
    let start = Instant::now();
    // Longer than it takes to give the connection up and to try others.
    while start.elapsed() < Duration::from_secs(4) {
        assert!(many_in_time(&throttle).await.iter().all(|it| *it == BY_FALLBACK));
    }
    own.resume();
    let recovery = primary_is_in_charge_again(&throttle).await;
    assert!(recovery < RECOVERY, "{recovery:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_node_of_a_cluster_is_held_still_every_attempt_is_decided_in_time() {
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
        panic!("a Cluster without nodes");
    };
    primary.pause();
    eventually("the fallback decides", async || {
        many_in_time(&throttle).await.contains(&BY_FALLBACK)
    })
    .await;
    // Its replica becomes the primary after some seconds, and the Cluster is whole again.
    eventually("the Cluster decides again", all_by_redis).await;
    primary.resume();
    eventually("the Cluster decides again", all_by_redis).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_swallows_everything_is_survived_like_any_other_absence() {
    let own = Redis::start_own();
    let address: SocketAddr = own.address().parse().expect("an address");
    let proxy = CuttingProxy::forward_to(address).await;
    let throttle = over(&format!("redis://{}", proxy.address()));
    for mode in [ProxyMode::BlackHole, ProxyMode::Cut, ProxyMode::Reset] {
        primary_is_in_charge_again(&throttle).await;
        proxy.set(mode);
        eventually("the fallback decides", async || {
            take_in_time(&throttle).await == BY_FALLBACK
        })
        .await;
        proxy.set(ProxyMode::Pass);
        let recovery = primary_is_in_charge_again(&throttle).await;
        assert!(recovery < RECOVERY, "{recovery:?} after {mode:?}");
    }
}

#[tokio::test]
async fn a_service_that_starts_without_redis_takes_it_up_when_it_comes() {
    let own = Redis::start_own();
    own.kill();
    let throttle = over(own.url());
    assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
    own.restart();
    primary_is_in_charge_again(&throttle).await;
}

/// Fails while it is away and counts who asked.
#[derive(Default)]
struct Wavering {
    away: AtomicBool,
    asked: AtomicU32,
}

#[async_trait]
impl Throttle for Wavering {
    async fn take(&self, _: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        if self.away.load(Ordering::Relaxed) {
            return Err(PortError::Unavailable(Box::new(io::Error::other("away"))));
        }
        Ok(ThrottleDecision::Allowed)
    }
}

#[tokio::test(start_paused = true)]
async fn a_primary_that_is_away_is_asked_twice_a_second_and_no_more() {
    let primary = Arc::new(Wavering::default());
    let throttle = with(Arc::<Wavering>::clone(&primary));
    assert_eq!(allowed_of(10, &*throttle, &client_key(1)).await, 10);
    primary.away.store(true, Ordering::Relaxed);
    primary.asked.store(0, Ordering::Relaxed);
    // Ten seconds of the paused clock.
    for _ in 0..1000 {
        assert_eq!(take(&*throttle, &client_key(1)).await, BY_FALLBACK);
        tokio::time::advance(Duration::from_millis(10)).await;
    }
    let asked = primary.asked.load(Ordering::Relaxed);
    assert!((19..=21).contains(&asked), "{asked}");
    primary.away.store(false, Ordering::Relaxed);
    tokio::time::advance(Duration::from_millis(500)).await;
    assert_eq!(
        take(&*throttle, &client_key(1)).await,
        BY_FALLBACK,
        "nobody waits for the probe"
    );
    tokio::task::yield_now().await;
    assert_eq!(throttle.in_charge(), InCharge::Primary);
    assert_eq!(take(&*throttle, &client_key(1)).await, ThrottleDecision::Allowed);
}

/// Answers once, then never.
#[derive(Default)]
struct Stuck(AtomicU32);

#[async_trait]
impl Throttle for Stuck {
    async fn take(&self, _: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(PortError::Unavailable(Box::new(io::Error::other("away"))));
        }
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_is_never_answered_holds_nobody_up() {
    let throttle = with(Arc::new(Stuck::default()));
    for _ in 0..10 {
        assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
        tokio::time::advance(Duration::from_secs(1)).await;
    }
}

/// Has no time for the first request and answers the next.
#[derive(Default)]
struct Pressed(AtomicU32);

#[async_trait]
impl Throttle for Pressed {
    async fn take(&self, _: ThrottleKey) -> Result<ThrottleDecision, PortError> {
        if self.0.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(PortError::Overloaded);
        }
        Ok(ThrottleDecision::Allowed)
    }
}

#[tokio::test]
async fn a_request_that_had_no_time_for_the_primary_puts_nobody_else_off() {
    let throttle = with(Arc::new(Pressed::default()));
    assert_eq!(take_in_time(&throttle).await, BY_FALLBACK);
    assert_eq!(throttle.in_charge(), InCharge::Primary);
    assert_eq!(take_in_time(&throttle).await, ThrottleDecision::Allowed);
}

#[tokio::test]
async fn a_fallback_that_fails_too_is_an_error_and_never_an_open_door() {
    let away = || {
        let throttle = Wavering::default();
        throttle.away.store(true, Ordering::Relaxed);
        Arc::new(throttle)
    };
    let throttle = FallbackThrottle::new(away(), away());
    for _ in 0..10 {
        assert!(throttle.take(client_key(1)).await.is_err());
    }
    let open = FallbackThrottle::new(away(), Arc::new(OpenThrottle));
    assert_eq!(
        take(&open, &client_key(1)).await,
        ThrottleDecision::Allowed,
        "what the fallback says"
    );
}
