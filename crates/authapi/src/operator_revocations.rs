use crate::{
    bus::{Bus, BusSettings},
    replica,
};
use adapters_crypto::{OsRandomness, SystemClock};
use async_trait::async_trait;
use domain::{invalidation::InvalidationScope, ports::Revocations};
use session_cache::{
    CacheLimits, InvalidationListener, LeasedRevocations, SessionCoherence, ports::ReplicaLeases,
};
use std::{
    future::pending,
    io::{IsTerminal, stderr},
    sync::Arc,
    time::Duration,
};
use tokio::{
    select, spawn,
    sync::OnceCell,
    time::{sleep, timeout},
};

/// The wait budget for subscribing to the bus. Without a subscription no acknowledgement arrives,
/// and a revocation waits until the servers' leases have expired.
const SUBSCRIBE_BUDGET: Duration = Duration::from_millis(500);
/// The time after which a waiting revocation prints a reason.
const EXPLAIN_AFTER: Duration = Duration::from_millis(500);

/// Publishes the command line's revocations to running servers. Subscribes to the bus at the first
/// revocation, since most commands revoke nothing.
pub struct OperatorRevocations {
    leases: Arc<dyn ReplicaLeases>,
    bus: BusSettings,
    revocations: OnceCell<LeasedRevocations>,
}

impl OperatorRevocations {
    /// `leases` are the servers' leases, and `bus` the settings of their bus.
    pub fn new(leases: Arc<dyn ReplicaLeases>, bus: BusSettings) -> Self {
        Self {
            leases,
            bus,
            revocations: OnceCell::new(),
        }
    }

    async fn begin(&self) -> LeasedRevocations {
        let opened = self.bus.open().unwrap_or_else(|failure| {
            tracing::warn!(%failure, "the bus is unavailable; revocations wait until leases have expired");
            Bus::in_process()
        });
        let leases = Arc::clone(&self.leases);
        // The command line serves no requests, so its cache stays empty.
        let limits = CacheLimits::default();
        let coherence = replica::coherence(leases, opened.port, Arc::new(SystemClock), &OsRandomness, limits);
        listen(&coherence).await;
        LeasedRevocations::new(coherence)
    }
}

#[async_trait]
impl Revocations for OperatorRevocations {
    async fn publish(&self, scopes: Vec<InvalidationScope>) {
        let publishing = async {
            let revocations = self.revocations.get_or_init(|| self.begin()).await;
            revocations.publish(scopes).await;
        };
        select! {
            () = publishing => {}
            () = explain_wait() => {}
        }
    }
}

/// Listens to the bus until the program ends. Returns once the subscription is open or its wait
/// budget is spent.
async fn listen(coherence: &Arc<SessionCoherence>) {
    let listener = InvalidationListener::new(Arc::clone(coherence));
    spawn(async move { listener.run().await });
    if timeout(SUBSCRIBE_BUDGET, coherence.subscribed()).await.is_err() {
        tracing::warn!("the bus did not respond; revocations wait until leases have expired");
    }
}

/// Prints why the command waits if it runs in a terminal. Never returns.
async fn explain_wait() {
    sleep(EXPLAIN_AFTER).await;
    if stderr().is_terminal() {
        eprintln!("done; waiting until no server uses stale sessions");
    }
    pending::<()>().await;
}
