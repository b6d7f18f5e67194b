use crate::{replica, settings::RedisSettings, wiring::open_redis};
use adapters_crypto::{OsRandomness, SystemClock};
use async_trait::async_trait;
use domain::{invalidation::InvalidationScope, ports::Revocations};
use session_cache::ports::ReplicaLeases;
use session_cache::{KeptLimits, LeasedRevocations, Leasing, Listener};
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

/// How long the bus may take to be there. Who does not hear acknowledgements waits until leases have run out.
const BUS_BOUND: Duration = Duration::from_millis(500);
/// How long somebody waits before they are told what for.
const TOLD_AFTER: Duration = Duration::from_millis(500);

/// Tells running servers what the command line revoked. The bus is listened to from the first time on: most commands
/// revoke nothing.
pub struct OperatorRevocations {
    leases: Arc<dyn ReplicaLeases>,
    redis: RedisSettings,
    begun: OnceCell<LeasedRevocations>,
}

impl OperatorRevocations {
    /// `leases` are the servers', and `redis` leads to the bus that they listen to, if to any.
    pub fn new(leases: Arc<dyn ReplicaLeases>, redis: RedisSettings) -> Self {
        Self {
            leases,
            redis,
            begun: OnceCell::new(),
        }
    }

    async fn begin(&self) -> LeasedRevocations {
        let redis = open_redis(&self.redis).unwrap_or_else(|failure| {
            tracing::warn!(%failure, "servers are not told, but waited for");
            None
        });
        let leases = Arc::clone(&self.leases);
        // The command line serves nobody, and so keeps nothing.
        let limits = KeptLimits::default();
        let leasing = replica::leasing(leases, redis.as_ref(), &SystemClock, &OsRandomness, limits);
        listen(&leasing).await;
        LeasedRevocations::new(leasing)
    }
}

#[async_trait]
impl Revocations for OperatorRevocations {
    async fn publish(&self, subjects: Vec<InvalidationScope>) {
        let invalidating = async {
            let revocations = self.begun.get_or_init(|| self.begin()).await;
            revocations.publish(subjects).await;
        };
        select! {
            () = invalidating => {}
            () = tell_whoever_waits() => {}
        }
    }
}

/// Listens until the program ends.
async fn listen(leasing: &Arc<Leasing>) {
    let listener = Listener::new(Arc::clone(leasing));
    spawn(async move { listener.run().await });
    if timeout(BUS_BOUND, leasing.listens()).await.is_err() {
        tracing::warn!("the bus is not heard: servers are not told, but waited for");
    }
}

/// Tells it where somebody watches. Never ends.
async fn tell_whoever_waits() {
    sleep(TOLD_AFTER).await;
    if stderr().is_terminal() {
        eprintln!("done; waiting until no server answers from before");
    }
    pending::<()>().await;
}
