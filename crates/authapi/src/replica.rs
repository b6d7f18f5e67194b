//! This process as a replica: publishing its revocations, and receiving those of other replicas.

use crate::settings::SessionCacheSettings;
use domain::ports::{Clock, Randomness, Storage};
use session_cache::{
    BootClock, CacheLimits, CachedSessionSnapshots, InvalidationListener, LeaseRenewer, SessionCoherence,
    ports::{InvalidationBus, ReplicaLeases},
    protocol::ReplicaId,
};
use std::{num::NonZeroU64, sync::Arc, time::Duration};
use tokio::{
    task::{JoinHandle, spawn},
    time::timeout,
};

/// One MiB in bytes.
const MIB: NonZeroU64 = NonZeroU64::new(1024 * 1024).expect("1 MiB is not 0");
/// The wait budget for releasing the lease at shutdown. A lease that is not released expires.
const LEAVE_BUDGET: Duration = Duration::from_millis(400);

/// Creates this process's part of the coherence protocol. A process without a session cache also
/// needs it, to publish revocations to replicas that have one.
pub fn coherence(
    leases: Arc<dyn ReplicaLeases>,
    bus: Arc<dyn InvalidationBus>,
    clock: Arc<dyn Clock>,
    randomness: &dyn Randomness,
    limits: CacheLimits,
) -> Arc<SessionCoherence> {
    let id = ReplicaId(randomness.uuid(clock.now()));
    SessionCoherence::new(id, leases, bus, Arc::new(BootClock), clock, limits)
}

/// Returns the bounds of the session cache.
pub fn cache_limits(settings: &SessionCacheSettings) -> CacheLimits {
    CacheLimits {
        snapshots: settings.max_count,
        bytes: NonZeroU64::from(settings.max_mib).saturating_mul(MIB),
    }
}

/// Returns `storage` with session snapshots cached if `caches_sessions`.
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

/// The tasks of a server in the coherence protocol.
///
/// They run on the process's runtime, apart from the workers, so that load does not delay the
/// renewal of the lease.
pub struct Membership {
    renewer: Arc<LeaseRenewer>,
    keeping: JoinHandle<()>,
    listening: JoinHandle<()>,
}

impl Membership {
    /// Starts the tasks. MUST be called on the runtime that outlives the server.
    pub fn begin(coherence: &Arc<SessionCoherence>) -> Self {
        let renewer = Arc::new(LeaseRenewer::new(Arc::clone(coherence)));
        let running = Arc::clone(&renewer);
        let listener = InvalidationListener::new(Arc::clone(coherence));
        Self {
            renewer,
            keeping: spawn(async move { running.run().await }),
            listening: spawn(async move { listener.run().await }),
        }
    }

    /// Stops the tasks and releases the lease, so that publishers do not wait for this process.
    /// Call it after the last request has been answered.
    pub async fn end(self) {
        self.keeping.abort();
        if timeout(LEAVE_BUDGET, self.renewer.leave()).await.is_err() {
            tracing::debug!("the lease was not released and expires");
        }
        self.listening.abort();
    }
}
