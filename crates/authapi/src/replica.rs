//! This process as one of the replicas that share a database: how it publishes its revocations and receives others'.

use crate::settings::{DatabaseUrl, SessionCacheSettings, Settings};
use adapters_redis::{RedisBus, RedisClient};
use domain::ports::{Clock, Randomness, Storage};
use session_cache::{
    BootClock, CacheLimits, CachedSessionSnapshots, InvalidationListener, LeaseKeeper, ProcessBus,
    SessionCoherence,
    ports::{InvalidationBus, ReplicaLeases},
    protocol::ReplicaId,
};
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn},
    time::timeout,
};

/// The channel of the bus. All services on one Redis share it; invalidations of unknown sessions have no effect.
const CHANNEL: &str = "authapi:invalidations";
/// In bytes.
const MIB: NonZeroU64 = NonZeroU64::new(1024 * 1024).expect("it is not 0");
/// The wait budget for releasing the lease on shutdown. Otherwise the lease expires by itself.
const LEAVE_BUDGET: Duration = Duration::from_millis(400);

/// Creates this process's place in the coherence protocol. A process without a session cache has one too: it publishes
/// revocations to replicas whose settings differ.
pub fn coherence(
    leases: Arc<dyn ReplicaLeases>,
    redis: Option<&RedisClient>,
    clock: &dyn Clock,
    randomness: &dyn Randomness,
    limits: CacheLimits,
) -> Arc<SessionCoherence> {
    let bus: Arc<dyn InvalidationBus> = match redis {
        Some(redis) => Arc::new(RedisBus::new(redis.clone(), CHANNEL)),
        None => Arc::new(ProcessBus::default()),
    };
    let id = ReplicaId(randomness.uuid(clock.now()));
    SessionCoherence::new(id, leases, bus, Arc::new(BootClock), limits)
}

/// Returns the bounds of the session cache.
pub fn cache_limits(settings: &SessionCacheSettings) -> CacheLimits {
    CacheLimits {
        snapshots: settings.max_count,
        bytes: NonZeroU64::from(settings.max_mib).saturating_mul(MIB),
    }
}

/// Returns whether sessions are cached in memory. Replicas need a bus for that: without one, every revocation would wait
/// until their leases have expired.
pub fn caches_sessions(settings: &Settings) -> bool {
    let has_bus = match settings.database.url {
        DatabaseUrl::Sqlite(_) => true,
        DatabaseUrl::Postgres(_) => settings.redis.url.is_some(),
    };
    settings.session_cache.memory && has_bus
}

/// Storage as a server has it: session snapshots are cached if `caches_sessions`.
pub fn coherent(storage: Storage, coherence: &Arc<SessionCoherence>, caches_sessions: bool) -> Storage {
    if !caches_sessions {
        return storage;
    }
    let snapshots = CachedSessionSnapshots::new(storage.snapshots, Arc::clone(coherence));
    Storage {
        snapshots: Arc::new(snapshots),
        ..storage
    }
}

/// The tasks by which a server takes part in the protocol while it runs.
///
/// They run beside the workers, which have runtimes of their own, so that no number of requests delays a renewal.
pub struct Membership {
    keeper: Arc<LeaseKeeper>,
    keeping: JoinHandle<()>,
    listening: JoinHandle<()>,
}

impl Membership {
    /// Starts the tasks. MUST be called on the runtime that outlives the server.
    pub fn begin(coherence: &Arc<SessionCoherence>) -> Self {
        let keeper = Arc::new(LeaseKeeper::new(Arc::clone(coherence)));
        let running = Arc::clone(&keeper);
        let listener = InvalidationListener::new(Arc::clone(coherence));
        Self {
            keeper,
            keeping: spawn(async move { running.run().await }),
            listening: spawn(async move { listener.run().await }),
        }
    }

    /// Stops the tasks and releases the lease, so that publishers do not wait for this process. Call it after the last
    /// request was answered.
    pub async fn end(self) {
        self.keeping.abort();
        if timeout(LEAVE_BUDGET, self.keeper.leave()).await.is_err() {
            tracing::debug!("the lease was not released and expires");
        }
        self.listening.abort();
    }
}
