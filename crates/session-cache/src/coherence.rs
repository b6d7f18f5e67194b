use crate::{
    cache::{CacheLimits, SessionCache},
    metrics::{self, SessionSnapshotCounters},
    ports::{InvalidationBus, MonotonicClock, ReplicaLeases},
    protocol::{ClockSteps, Message, Replica, ReplicaId, SnapshotRead, Terms},
};
use domain::{
    caller::SessionSnapshot,
    invalidation::InvalidationScope,
    ports::{Clock, PortError, SessionMemory},
    session::SessionId,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, watch};

/// The state of one process in the protocol: its lease, its cache, and the ports to the other
/// processes.
///
/// A process has one, which all other parts of this crate share.
pub struct SessionCoherence {
    pub(crate) id: ReplicaId,
    pub(crate) terms: Terms,
    pub(crate) leases: Arc<dyn ReplicaLeases>,
    pub(crate) bus: Arc<dyn InvalidationBus>,
    pub(crate) clock: Arc<dyn MonotonicClock>,
    calendar: Arc<dyn Clock>,
    state: Mutex<State>,
    pub(crate) cache: SessionCache,
    pub(crate) counters: SessionSnapshotCounters,
    /// Notified by a request that a lease would have served from memory.
    pub(crate) lease_wanted: Notify,
    /// Whether a subscription to the bus is open.
    pub(crate) subscription_open: watch::Sender<bool>,
    /// The number of this process's newest probe that came back over the bus.
    pub(crate) probe_received: watch::Sender<u64>,
    /// Receivers of acknowledgements, by the number of this process's publication.
    acknowledgements: Mutex<HashMap<u64, mpsc::Sender<ReplicaId>>>,
}

/// What requests read and change together, under one lock.
pub(crate) struct State {
    pub(crate) replica: Replica,
    clock_steps: ClockSteps,
    /// The newest shared read of each session that is being read.
    pub(crate) shared_reads: HashMap<SessionId, SharedRead>,
}

/// A read in progress that other requests for the session may wait for.
#[derive(Clone)]
pub(crate) struct SharedRead {
    pub(crate) read: SnapshotRead,
    pub(crate) result: watch::Receiver<Option<ReadResult>>,
}

/// The result of a read, shared between requests.
pub(crate) type ReadResult = Result<Option<Arc<SessionSnapshot>>, Arc<PortError>>;

impl SessionCoherence {
    /// Creates the state of a process that holds no lease yet. `id` MUST be new with each start of
    /// the process; all processes of one database MUST share `leases` and `bus`. `calendar` is
    /// compared with `clock` to detect steps. `limits` bound the cache.
    #[must_use]
    pub fn new(
        id: ReplicaId,
        leases: Arc<dyn ReplicaLeases>,
        bus: Arc<dyn InvalidationBus>,
        clock: Arc<dyn MonotonicClock>,
        calendar: Arc<dyn Clock>,
        limits: CacheLimits,
    ) -> Arc<Self> {
        metrics::describe();
        let terms = Terms::STANDARD;
        let state = State {
            replica: Replica::new(id, terms),
            // The other half of the margin is for clocks that run at different rates.
            clock_steps: ClockSteps::new(terms.lease.margin() / 2),
            shared_reads: HashMap::new(),
        };
        Arc::new(Self {
            id,
            terms,
            leases,
            bus,
            clock,
            calendar,
            state: Mutex::new(state),
            cache: SessionCache::new(limits),
            counters: SessionSnapshotCounters::new(),
            lease_wanted: Notify::new(),
            subscription_open: watch::channel(false).0,
            probe_received: watch::channel(0).0,
            acknowledgements: Mutex::default(),
        })
    }

    /// Waits until a running [`InvalidationListener`](crate::InvalidationListener) has subscribed
    /// to the bus.
    pub async fn subscribed(&self) {
        let mut open = self.subscription_open.subscribe();
        // Waiting fails only if the sender is dropped, and `self` owns it.
        let _ = open.wait_for(|open| *open).await;
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the state machine does not panic")
    }

    /// Locks the state for a request that may be answered from memory. Distrusts the lease first if
    /// the calendar clock was stepped, since the machine may have been paused.
    pub(crate) fn state_for_answer(&self) -> MutexGuard<'_, State> {
        let mut state = self.state();
        let now = self.clock.now();
        if state.clock_steps.observe(now, self.calendar.now()) {
            state.replica.distrust_lease(now);
            tracing::info!(
                "the clock was stepped; sessions are read from the database until the lease is renewed"
            );
        }
        state
    }

    pub(crate) fn acknowledgements(&self) -> MutexGuard<'_, HashMap<u64, mpsc::Sender<ReplicaId>>> {
        self.acknowledgements.lock().expect("no holder panics")
    }

    pub(crate) fn invalidate(&self, scopes: &[InvalidationScope]) {
        self.state().replica.invalidate(scopes, self.clock.now());
    }

    pub(crate) fn invalidate_all(&self) {
        self.state().replica.invalidate_all();
        self.cache.clear();
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    /// Sends `message` over the bus. A failure only delays a revocation or a lease.
    pub(crate) async fn send(&self, message: &Message) {
        if let Err(error) = self.bus.publish(message.encode()).await {
            // The listener logs once that the bus is unavailable.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "a message was not sent to the bus"
            );
        }
    }
}

impl SessionMemory for SessionCoherence {
    fn holds_lease(&self) -> bool {
        self.state_for_answer().replica.holds_lease(self.clock.now())
    }
}
