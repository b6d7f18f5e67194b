use crate::{Leasing, metrics};
use crate::{
    ports::Renewal,
    protocol::{LeaseId, Message, Step},
};
use domain::ports::SessionMemory;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};
use tokio::select;

/// Keeps the lease while there are requests.
pub struct LeaseKeeper {
    leasing: Arc<Leasing>,
    probes: AtomicU64,
}

impl LeaseKeeper {
    #[must_use]
    pub fn new(leasing: Arc<Leasing>) -> Self {
        Self {
            leasing,
            probes: AtomicU64::new(0),
        }
    }

    /// Keeps it for ever; drop it at any time, and then [`leave`](Self::leave).
    pub async fn run(&self) {
        let mut era = 0;
        loop {
            let step = self.leasing.locked().replica.step(self.leasing.clock.now());
            self.measure();
            match step {
                Step::Ask(lease) => self.ask(lease).await,
                Step::Renew(lease) => self.renew(lease).await,
                Step::Rest(Some(until)) => self.leasing.clock.sleep_until(until).await,
                Step::Rest(None) => self.leasing.wanted.notified().await,
            }
            let now_in = self.leasing.locked().replica.era();
            if now_in != era {
                era = now_in;
                self.leasing.kept.clear();
            }
        }
    }

    /// Answers nothing from memory any more, and tells those who revoke that they need not wait for this process.
    pub async fn leave(&self) {
        let left = self.leasing.locked().replica.leave();
        if let Some(lease) = left
            && let Err(error) = self.leasing.leases.release(lease).await
        {
            tracing::debug!(
                error = &error as &dyn std::error::Error,
                "the lease is left to run out"
            );
        }
    }

    fn measure(&self) {
        metrics::lease(self.leasing.holds_lease(), self.leasing.kept.count());
    }

    async fn ask(&self, lease: LeaseId) {
        // Without the bus every revocation would have to wait for this lease to run out: better to read each time.
        if !self.hears_itself().await {
            return self.leasing.sleep(self.leasing.terms.renew_every).await;
        }
        let asked_at = self.leasing.clock.now();
        match self.leasing.leases.acquire(lease).await {
            Ok(()) => self.leasing.locked().replica.granted(lease, asked_at),
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "no lease was granted");
                self.leasing.sleep(self.leasing.terms.renew_every).await;
            }
        }
    }

    async fn renew(&self, lease: LeaseId) {
        let asked_at = self.leasing.clock.now();
        match self.leasing.leases.renew(lease).await {
            Ok(Renewal::Granted) => self.leasing.locked().replica.granted(lease, asked_at),
            Ok(Renewal::Refused) => {
                self.leasing.locked().replica.refused(lease);
                metrics::lease_lost();
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease was not renewed"
                );
                self.leasing.sleep(self.leasing.terms.renew_every).await;
            }
        }
    }

    async fn hears_itself(&self) -> bool {
        let number = self.probes.fetch_add(1, Ordering::Relaxed) + 1;
        let mut heard = self.leasing.probe_heard.subscribe();
        let by = self.leasing.id;
        self.leasing.say(&Message::Probe { by, number }).await;
        select! {
            heard = heard.wait_for(|last| *last >= number) => heard.is_ok(),
            () = self.leasing.sleep(self.leasing.terms.patience) => false,
        }
    }
}
