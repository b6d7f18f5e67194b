//! This process among those that share a database: who hears of what it revokes, and how it hears of what others do.

use crate::{
    settings::{DatabaseUrl, SessionCacheSettings, Settings},
    storage::Storage,
};
use adapters_memory::{
    BootClock, CachedSessionSnapshots, KeptLimits, LeaseKeeper, Leasing, Listener,
    ProcessBus,
};
use adapters_redis::{RedisBus, RedisClient};
use domain::{
    leases::ReplicaId,
    ports::{Clock, InvalidationBus, Randomness, ReplicaLeases},
};
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn},
    time::timeout,
};

/// The channel of the bus. Who shares Redis shares it, and hears of sessions that it does not know.
const CHANNEL: &str = "authapi:invalidations";
/// In bytes.
const MIB: NonZeroU64 = NonZeroU64::new(1024 * 1024).expect("it is not 0");
/// How long the database may take to hear that this process has gone. The lease runs out by itself.
const LEAVE_BOUND: Duration = Duration::from_millis(400);

/// The place of this process in the protocol of [`domain::leases`], whether it remembers anything or not: who revokes has
/// to look for those who do, since they may be set up otherwise.
pub fn leasing(
    leases: Arc<dyn ReplicaLeases>,
    redis: Option<&RedisClient>,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    limits: KeptLimits,
) -> Arc<Leasing> {
    let bus: Arc<dyn InvalidationBus> = match redis {
        Some(redis) => Arc::new(RedisBus::new(redis.clone(), CHANNEL)),
        None => Arc::new(ProcessBus::default()),
    };
    let id = ReplicaId(randomness.uuid(clock.now()));
    Leasing::new(id, leases, bus, Arc::new(BootClock), limits)
}

/// How many sessions are remembered at most.
pub fn kept_limits(settings: &SessionCacheSettings) -> KeptLimits {
    KeptLimits {
        snapshots: settings.max_count,
        bytes: NonZeroU64::from(settings.max_mib).saturating_mul(MIB),
    }
}

/// Whether sessions are looked up in memory. Replicas need a bus for that: without one every revocation would have to wait
/// until leases run out.
pub fn remembers(settings: &Settings) -> bool {
    let has_bus = match settings.database.url {
        DatabaseUrl::Sqlite(_) => true,
        DatabaseUrl::Postgres(_) => settings.redis.url.is_some(),
    };
    settings.session_cache.memory && has_bus
}

/// Storage as a server has it: with a session cache, if `remembers` allows one.
pub fn served(storage: Storage, leasing: &Arc<Leasing>, remembers: bool) -> Storage {
    if !remembers {
        return storage;
    }
    let snapshots = CachedSessionSnapshots::new(storage.snapshots, Arc::clone(leasing));
    Storage {
        snapshots: Arc::new(snapshots),
        ..storage
    }
}

/// What a server does for its place as long as it runs.
///
/// It runs beside the workers, which have runtimes of their own: requests, however many, keep no lease from being renewed.
pub struct Membership {
    keeper: Arc<LeaseKeeper>,
    keeping: JoinHandle<()>,
    listening: JoinHandle<()>,
}

impl Membership {
    /// MUST be called on the runtime that outlives the server.
    pub fn begin(leasing: &Arc<Leasing>) -> Self {
        let keeper = Arc::new(LeaseKeeper::new(Arc::clone(leasing)));
        let kept = Arc::clone(&keeper);
        let listener = Listener::new(Arc::clone(leasing));
        Self {
            keeper,
            keeping: spawn(async move { kept.run().await }),
            listening: spawn(async move { listener.run().await }),
        }
    }

    /// To be called when nothing is answered any more, so that nobody who revokes waits for this process.
    pub async fn end(self) {
        self.keeping.abort();
        if timeout(LEAVE_BOUND, self.keeper.leave()).await.is_err() {
            tracing::debug!("the lease is left to run out");
        }
        self.listening.abort();
    }
}
