use crate::{coherence::SessionCoherence, running_publication::RunningPublication};
use async_trait::async_trait;
use domain::{invalidation::InvalidationScope, ports::Revocations};
use std::sync::{
    Arc, Mutex, MutexGuard,
    atomic::{AtomicU64, Ordering},
};
use tokio::{spawn, sync::watch};

/// Publishes revocations to every replica that holds a lease, and waits until no replica serves a
/// snapshot from before the revocation.
///
/// Revocations that arrive while another publication reads the lease holders are published
/// together. Acknowledgements arrive through an
/// [`InvalidationListener`](crate::InvalidationListener), which must be running: without one, each
/// publication waits until the other replicas' leases have expired.
pub struct LeasedRevocations(Arc<Publisher>);

struct Publisher {
    coherence: Arc<SessionCoherence>,
    /// The number of the next publication.
    next_number: AtomicU64,
    forming: Mutex<Option<Batch>>,
    /// Held while a batch reads the lease holders. Meanwhile the next batch forms.
    reading_holders: tokio::sync::Mutex<()>,
}

/// Revocations that are published together.
struct Batch {
    scopes: Vec<InvalidationScope>,
    done: watch::Sender<bool>,
}

impl LeasedRevocations {
    /// Creates the publisher of one process. Processes that serve no requests publish in the same
    /// way.
    #[must_use]
    pub fn new(coherence: Arc<SessionCoherence>) -> Self {
        Self(Arc::new(Publisher {
            coherence,
            next_number: AtomicU64::new(0),
            forming: Mutex::new(None),
            reading_holders: tokio::sync::Mutex::new(()),
        }))
    }

    fn join_batch(&self, mut scopes: Vec<InvalidationScope>) -> watch::Receiver<bool> {
        let mut forming = self.0.forming();
        if let Some(batch) = &mut *forming {
            batch.scopes.append(&mut scopes);
            return batch.done.subscribe();
        }
        let (done, receiver) = watch::channel(false);
        *forming = Some(Batch { scopes, done });
        // Publish in a separate task, since other callers may have joined the batch when this one
        // is cancelled.
        spawn(Arc::clone(&self.0).publish_batch());
        receiver
    }
}

#[async_trait]
impl Revocations for LeasedRevocations {
    #[tracing::instrument(skip_all)]
    async fn publish(&self, scopes: Vec<InvalidationScope>) {
        let coherence = &self.0.coherence;
        let begun_at = coherence.clock.now();
        let mut done = self.join_batch(scopes);
        if done.wait_for(|done| *done).await.is_err() {
            // The task ended without a result. Wait until every snapshot from before the revocation
            // has expired.
            let deadline = begun_at + coherence.terms.snapshot.waited();
            coherence.clock.sleep_until(deadline).await;
        }
    }
}

impl Publisher {
    fn forming(&self) -> MutexGuard<'_, Option<Batch>> {
        self.forming.lock().expect("no holder panics")
    }

    async fn publish_batch(self: Arc<Self>) {
        let reading_holders = self.reading_holders.lock().await;
        let Some(batch) = self.forming().take() else {
            return;
        };
        self.coherence.invalidate(&batch.scopes);
        let number = self.next_number.fetch_add(1, Ordering::Relaxed);
        let mut running = RunningPublication::begin(Arc::clone(&self.coherence), number, batch.scopes);
        running.read_holders().await;
        drop(reading_holders);
        running.finish().await;
        batch.done.send_replace(true);
    }
}
