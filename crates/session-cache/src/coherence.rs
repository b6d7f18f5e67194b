use crate::{
    cache::{KeptLimits, SessionCache},
    metrics::{self, ViewMeter},
};
use crate::{
    ports::{InvalidationBus, MonotonicClock, ReplicaLeases},
    protocol::{Message, Reading, Replica, ReplicaId, Terms},
};
use domain::{
    caller::SessionSnapshot,
    invalidation::InvalidationScope,
    ports::{PortError, SessionMemory},
    session::SessionId,
};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::sync::{Notify, mpsc, watch};

/// What the parts of one process share: its place in the protocol, and the ports.
pub struct Leasing {
    pub(crate) id: ReplicaId,
    pub(crate) terms: Terms,
    pub(crate) leases: Arc<dyn ReplicaLeases>,
    pub(crate) bus: Arc<dyn InvalidationBus>,
    pub(crate) clock: Arc<dyn MonotonicClock>,
    state: Mutex<State>,
    pub(crate) kept: SessionCache,
    pub(crate) meter: ViewMeter,
    /// A request came that a lease would have served.
    pub(crate) wanted: Notify,
    /// Whether the bus is listened to.
    pub(crate) listening: watch::Sender<bool>,
    /// The number of the last probe of this process that it heard.
    pub(crate) probe_heard: watch::Sender<u64>,
    /// Where acknowledgements of this process's announcements go, by their numbers.
    pub(crate) acknowledgements: Mutex<HashMap<u64, mpsc::Sender<ReplicaId>>>,
}

/// What requests decide by, in one step.
pub(crate) struct State {
    pub(crate) replica: Replica,
    pub(crate) flights: HashMap<SessionId, Flight>,
}

/// A read that others may wait for.
#[derive(Clone)]
pub(crate) struct Flight {
    pub(crate) reading: Reading,
    pub(crate) outcome: watch::Receiver<Option<Outcome>>,
}

/// What became of a read.
pub(crate) type Outcome = Result<Option<Arc<SessionSnapshot>>, Arc<PortError>>;

impl Leasing {
    /// `id` MUST be new with each start of a process. All of one database share `bus` and `leases`.
    #[must_use]
    pub fn new(
        id: ReplicaId,
        leases: Arc<dyn ReplicaLeases>,
        bus: Arc<dyn InvalidationBus>,
        clock: Arc<dyn MonotonicClock>,
        limits: KeptLimits,
    ) -> Arc<Self> {
        metrics::describe();
        let terms = Terms::STANDARD;
        let state = State {
            replica: Replica::new(id, terms),
            flights: HashMap::new(),
        };
        Arc::new(Self {
            id,
            terms,
            leases,
            bus,
            clock,
            state: Mutex::new(state),
            kept: SessionCache::new(limits),
            meter: ViewMeter::new(),
            wanted: Notify::new(),
            listening: watch::channel(false).0,
            probe_heard: watch::channel(0).0,
            acknowledgements: Mutex::default(),
        })
    }

    /// Waits until the bus is listened to.
    pub async fn listens(&self) {
        let mut listening = self.listening.subscribe();
        // The sender is kept here, so it never ends.
        let _ = listening.wait_for(|listening| *listening).await;
    }

    pub(crate) fn locked(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the state machine does not panic")
    }

    pub(crate) fn invalidate(&self, subjects: &[InvalidationScope]) {
        self.locked().replica.invalidate(subjects, self.clock.now());
    }

    pub(crate) fn forget(&self) {
        self.locked().replica.forget();
        self.kept.clear();
    }

    pub(crate) async fn sleep(&self, time: Duration) {
        self.clock.sleep_until(self.clock.now() + time).await;
    }

    /// Says `message`. When that fails somebody waits longer, and nothing else.
    pub(crate) async fn say(&self, message: &Message) {
        if let Err(error) = self.bus.publish(message.encode()).await {
            // Whoever listens tells that the bus is away, and does so once.
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the bus takes no message"
            );
        }
    }
}

impl SessionMemory for Leasing {
    fn holds_lease(&self) -> bool {
        self.locked().replica.holds_lease(self.clock.now())
    }
}
