use crate::{
    coherence::SessionCoherence,
    metrics,
    ports::Renewal,
    protocol::{LeaseId, LeaseStep, Message},
};
use domain::ports::SessionMemory;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::select;

/// Acquires a lease when requests arrive and renews it until the process is idle.
pub struct LeaseRenewer {
    coherence: Arc<SessionCoherence>,
    probes: AtomicU64,
}

impl LeaseRenewer {
    /// Creates the renewer of one process's lease. It does nothing until [`run`](Self::run) is
    /// polled.
    #[must_use]
    pub fn new(coherence: Arc<SessionCoherence>) -> Self {
        Self {
            coherence,
            probes: AtomicU64::new(0),
        }
    }

    /// Acquires and renews the lease forever. The future may be dropped at any time; call
    /// [`leave`](Self::leave) afterwards.
    pub async fn run(&self) {
        let mut generation = 0;
        loop {
            let step = self.next_step();
            self.update_gauges();
            match step {
                LeaseStep::Acquire(lease) => self.acquire(lease).await,
                LeaseStep::Renew(lease) => self.renew(lease).await,
                LeaseStep::Wait(Some(until)) => self.coherence.clock.sleep_until(until).await,
                LeaseStep::Wait(None) => self.coherence.lease_wanted.notified().await,
            }
            let current = self.coherence.state().replica.generation();
            if current != generation {
                generation = current;
                self.coherence.cache.clear();
            }
        }
    }

    /// Stops answering from memory and releases the lease, so that publishers do not wait for this
    /// process. If the database is unavailable, the lease expires later.
    pub async fn leave(&self) {
        let held = self.coherence.state().replica.leave();
        if let Some(lease) = held
            && let Err(error) = self.coherence.leases.release(lease).await
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the lease was not released and expires"
            );
        }
    }

    fn next_step(&self) -> LeaseStep {
        let mut state = self.coherence.state();
        state.replica.next_step(self.coherence.clock.now())
    }

    fn update_gauges(&self) {
        metrics::lease_held(self.coherence.holds_lease());
        metrics::session_cache_entries(self.coherence.cache.len());
    }

    async fn acquire(&self, lease: LeaseId) {
        // Without the bus, every revocation would wait until this lease has expired. Reading the
        // database for each request costs less.
        if !self.receives_own_messages().await {
            return self.wait_for_retry().await;
        }
        let requested_at = self.coherence.clock.now();
        match self.coherence.leases.acquire(lease).await {
            Ok(()) => self.coherence.state().replica.granted(lease, requested_at),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease was not acquired"
                );
                self.wait_for_retry().await;
            }
        }
    }

    async fn renew(&self, lease: LeaseId) {
        let requested_at = self.coherence.clock.now();
        match self.coherence.leases.renew(lease).await {
            Ok(Renewal::Granted) => self.coherence.state().replica.granted(lease, requested_at),
            Ok(Renewal::Refused) => {
                self.coherence.state().replica.refused(lease);
                metrics::lease_lost();
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease was not renewed"
                );
                self.wait_for_retry().await;
            }
        }
    }

    async fn wait_for_retry(&self) {
        self.coherence.sleep(self.coherence.terms.renew_every).await;
    }

    /// Returns whether this process receives its own probe over the bus within the wait budget for
    /// acknowledgements.
    async fn receives_own_messages(&self) -> bool {
        let number = self.probes.fetch_add(1, Ordering::Relaxed) + 1;
        let mut received = self.coherence.probe_received.subscribe();
        let by = self.coherence.id;
        self.coherence.send(&Message::Probe { by, number }).await;
        select! {
            received = received.wait_for(|newest| *newest >= number) => received.is_ok(),
            () = self.coherence.sleep(self.coherence.terms.acknowledgement_budget) => false,
        }
    }
}
