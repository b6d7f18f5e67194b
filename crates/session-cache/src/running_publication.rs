use crate::{
    coherence::SessionCoherence,
    metrics,
    protocol::{LeaseId, Message, Publication, PublicationId, PublicationStep, ReplicaId},
};
use domain::invalidation::InvalidationScope;
use std::{sync::Arc, time::Duration};
use tokio::{select, spawn, sync::mpsc};

/// Maximum number of acknowledgements queued for one publication.
const MAX_QUEUED_ACKNOWLEDGEMENTS: usize = 1024;

/// Runs a [`Publication`]: executes its steps in the database and on the bus, and records
/// acknowledgements.
pub struct RunningPublication {
    id: PublicationId,
    scopes: Vec<InvalidationScope>,
    publication: Publication,
    acknowledgements: mpsc::Receiver<ReplicaId>,
    begun_at: Duration,
    /// Whether the publication waited for anything but acknowledgements.
    waited: bool,
    coherence: Arc<SessionCoherence>,
}

impl RunningPublication {
    /// Begins publication `number`. The caller MUST have invalidated `scopes` in this process's
    /// cache.
    pub fn begin(coherence: Arc<SessionCoherence>, number: u64, scopes: Vec<InvalidationScope>) -> Self {
        let (sender, acknowledgements) = mpsc::channel(MAX_QUEUED_ACKNOWLEDGEMENTS);
        coherence.acknowledgements().insert(number, sender);
        let begun_at = coherence.clock.now();
        let mut publication = Publication::begin(begun_at, coherence.terms);
        publication.record_acknowledgement(coherence.id);
        Self {
            id: PublicationId {
                publisher: coherence.id,
                number,
            },
            scopes,
            publication,
            acknowledgements,
            begun_at,
            waited: false,
            coherence,
        }
    }

    /// Reads the lease holders and sends the invalidation to them.
    pub async fn read_holders(&mut self) {
        match self.coherence.leases.holders().await {
            Ok(holders) => {
                let now = self.coherence.clock.now();
                self.publication.record_holders(holders, now);
                if self.publication.awaits_acknowledgements() {
                    self.send(Message::invalidate(self.id, self.scopes.clone()));
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the lease holders were not read"
                );
                self.record_failure();
            }
        }
    }

    /// Takes all remaining steps. When this returns, no replica serves a snapshot from before the
    /// changes.
    pub async fn finish(mut self) {
        loop {
            match self.publication.next_step(self.coherence.clock.now()) {
                PublicationStep::ReadHolders => self.read_holders().await,
                PublicationStep::Evict(leases) => self.evict(&leases).await,
                PublicationStep::Wait(until) => select! {
                    Some(by) = self.acknowledgements.recv() => self.publication.record_acknowledgement(by),
                    () = self.coherence.clock.sleep_until(until) => {}
                },
                PublicationStep::Done => break,
            }
        }
        let took = self.coherence.clock.now().saturating_sub(self.begun_at);
        metrics::invalidation_duration(self.waited, took);
    }

    async fn evict(&mut self, leases: &[LeaseId]) {
        self.waited = true;
        metrics::leases_evicted(leases.len());
        tracing::info!(
            leases = leases.len(),
            "replicas did not acknowledge; waiting until their leases have expired"
        );
        match self.coherence.leases.evict(leases).await {
            Ok(()) => self.publication.record_eviction(self.coherence.clock.now()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the leases of silent replicas were not evicted"
                );
                self.record_failure();
            }
        }
    }

    fn record_failure(&mut self) {
        self.waited = true;
        self.publication.record_failure(self.coherence.clock.now());
    }

    /// Sends `message` in a separate task, so that a hanging bus does not delay the publication
    /// beyond its wait budget.
    fn send(&self, message: Message) {
        let coherence = Arc::clone(&self.coherence);
        spawn(async move {
            // An acknowledgement that arrives before this process has subscribed is lost. Wait for
            // the subscription as long as for acknowledgements.
            select! {
                () = coherence.subscribed() => {}
                () = coherence.sleep(coherence.terms.acknowledgement_budget) => {}
            }
            coherence.send(&message).await;
        });
    }
}

impl Drop for RunningPublication {
    fn drop(&mut self) {
        self.coherence.acknowledgements().remove(&self.id.number);
    }
}
