use crate::protocol::{Announcement, AnnouncementId, Demand, LeaseId, Message, ReplicaId};
use crate::{Leasing, metrics};
use async_trait::async_trait;
use domain::{invalidation::InvalidationScope, ports::Revocations};
use std::{
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::{
    select, spawn,
    sync::{mpsc, watch},
};

/// How many acknowledgements wait to be counted.
const WAITING_ACKNOWLEDGEMENTS: usize = 1024;

/// Tells whoever answers from memory what was revoked, and waits until nobody answers from before. Changes that are
/// announced while others are about to be share their messages and acknowledgements.
///
/// It hears acknowledgements through a [`Listener`](crate::Listener), which must run; without one it waits longer.
pub struct LeasedRevocations(Arc<Announcer>);

struct Announcer {
    leasing: Arc<Leasing>,
    announced: AtomicU64,
    forming: Mutex<Option<Batch>>,
    /// One batch at a time reads who holds leases. Meanwhile the next one forms.
    reading: tokio::sync::Mutex<()>,
}

/// Changes that are announced together.
struct Batch {
    subjects: Vec<InvalidationScope>,
    done: watch::Sender<bool>,
}

/// An announcement on its way, and the acknowledgements that come for it.
struct Running {
    id: AnnouncementId,
    announcement: Announcement,
    acknowledgements: mpsc::Receiver<ReplicaId>,
    begun_at: Duration,
    /// Whether something else than acknowledgements was waited for.
    waited: bool,
    leasing: Arc<Leasing>,
}

impl LeasedRevocations {
    #[must_use]
    pub fn new(leasing: Arc<Leasing>) -> Self {
        Self(Arc::new(Announcer {
            leasing,
            announced: AtomicU64::new(0),
            forming: Mutex::new(None),
            reading: tokio::sync::Mutex::new(()),
        }))
    }

    fn join_batch(&self, mut subjects: Vec<InvalidationScope>) -> watch::Receiver<bool> {
        let mut forming = self.0.forming();
        if let Some(batch) = &mut *forming {
            batch.subjects.append(&mut subjects);
            return batch.done.subscribe();
        }
        let (done, finished) = watch::channel(false);
        *forming = Some(Batch { subjects, done });
        // A task of its own: others may have joined by the time that this caller goes away.
        spawn(Arc::clone(&self.0).announce_batch());
        finished
    }
}

#[async_trait]
impl Revocations for LeasedRevocations {
    #[tracing::instrument(skip_all)]
    async fn publish(&self, subjects: Vec<InvalidationScope>) {
        let begun_at = self.0.leasing.clock.now();
        let mut finished = self.join_batch(subjects);
        if finished.wait_for(|done| *done).await.is_err() {
            // The task was lost. No view from before is answered when it is older than this.
            let settled_at = begun_at + self.0.leasing.terms.snapshot.waited();
            self.0.leasing.clock.sleep_until(settled_at).await;
        }
    }
}

impl Announcer {
    fn forming(&self) -> MutexGuard<'_, Option<Batch>> {
        self.forming.lock().expect("nothing panics with the lock")
    }

    async fn announce_batch(self: Arc<Self>) {
        let reading = self.reading.lock().await;
        let Some(batch) = self.forming().take() else {
            return;
        };
        self.leasing.invalidate(&batch.subjects);
        let mut running = Running::begin(&self.leasing, self.announced.fetch_add(1, Ordering::Relaxed));
        running.read_holders(&batch.subjects).await;
        drop(reading);
        running.finish(&batch.subjects).await;
        running.measure();
        batch.done.send_replace(true);
    }
}

impl Running {
    /// MUST be called after this process has invalidated what it is about.
    fn begin(leasing: &Arc<Leasing>, number: u64) -> Self {
        let (sender, acknowledgements) = mpsc::channel(WAITING_ACKNOWLEDGEMENTS);
        let mut waiting = leasing
            .acknowledgements
            .lock()
            .expect("nothing panics with the lock");
        waiting.insert(number, sender);
        let begun_at = leasing.clock.now();
        let mut announcement = Announcement::begin(begun_at, leasing.terms);
        announcement.acknowledged(leasing.id);
        Self {
            id: AnnouncementId {
                by: leasing.id,
                number,
            },
            announcement,
            acknowledgements,
            begun_at,
            waited: false,
            leasing: Arc::clone(leasing),
        }
    }

    async fn read_holders(&mut self, subjects: &[InvalidationScope]) {
        match self.leasing.leases.holders().await {
            Ok(holders) => {
                self.announcement.holders(holders, self.leasing.clock.now());
                if self.announcement.is_awaited() {
                    self.tell(Message::revoked(self.id, subjects.to_vec()));
                }
            }
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "who holds leases is not known"
                );
                self.failed();
            }
        }
    }

    async fn evict(&mut self, leases: &[LeaseId]) {
        self.waited = true;
        metrics::evicted(leases.len());
        tracing::info!(
            leases = leases.len(),
            "replicas do not acknowledge and are waited out"
        );
        match self.leasing.leases.evict(leases).await {
            Ok(()) => self.announcement.evicted(self.leasing.clock.now()),
            Err(error) => {
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "silent replicas were not evicted"
                );
                self.failed();
            }
        }
    }

    async fn finish(&mut self, subjects: &[InvalidationScope]) {
        loop {
            match self.announcement.demand(self.leasing.clock.now()) {
                Demand::ReadHolders => self.read_holders(subjects).await,
                Demand::Evict(leases) => self.evict(&leases).await,
                Demand::Wait(until) => select! {
                    Some(by) = self.acknowledgements.recv() => self.announcement.acknowledged(by),
                    () = self.leasing.clock.sleep_until(until) => {}
                },
                Demand::Answer => return,
            }
        }
    }

    fn failed(&mut self) {
        self.waited = true;
        self.announcement.failed(self.leasing.clock.now());
    }

    fn measure(&self) {
        let took = self.leasing.clock.now().saturating_sub(self.begun_at);
        metrics::announced(self.waited, took);
    }

    /// Says it in a task of its own, so that a bus that hangs costs no more than patience.
    fn tell(&self, message: Message) {
        let leasing = Arc::clone(&self.leasing);
        spawn(async move {
            // Who is not heard yet is worth waiting for, as long as acknowledgements are.
            select! {
                () = leasing.listens() => {}
                () = leasing.sleep(leasing.terms.patience) => {}
            }
            leasing.say(&message).await;
        });
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut waiting = self
            .leasing
            .acknowledgements
            .lock()
            .expect("nothing panics with the lock");
        waiting.remove(&self.id.number);
    }
}
