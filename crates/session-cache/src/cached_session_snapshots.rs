use crate::{
    cache::CachedSnapshot,
    coherence::{ReadResult, SessionCoherence, SharedRead},
    protocol::SnapshotRead,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
    token::TokenIdentity,
};
use std::sync::Arc;
use tokio::sync::watch;

/// Serves session snapshots from memory while the process holds a lease, and from the wrapped port
/// otherwise.
///
/// Concurrent requests for one session share a read. A snapshot that was read before a request
/// arrived may accept the token of the request but never reject it: before a rejection, the
/// snapshot is read again.
pub struct CachedSessionSnapshots {
    inner: Arc<dyn SessionSnapshots>,
    coherence: Arc<SessionCoherence>,
}

/// How a request gets its snapshot.
enum Lookup {
    /// From memory.
    Cached(Arc<SessionSnapshot>),
    /// By waiting for another request's read.
    Join(SharedRead),
    /// By its own read.
    Read(PendingRead),
}

/// A read that a request is about to make. If it is dropped, the requests that wait for its result
/// wake without a result.
struct PendingRead {
    session: SessionId,
    read: SnapshotRead,
    /// Where the result goes if other requests may wait for it.
    shared: Option<watch::Sender<Option<ReadResult>>>,
    coherence: Arc<SessionCoherence>,
}

impl CachedSessionSnapshots {
    /// Wraps `inner`, which reads the database.
    #[must_use]
    pub fn new(inner: Arc<dyn SessionSnapshots>, coherence: Arc<SessionCoherence>) -> Self {
        Self { inner, coherence }
    }

    fn look_up(&self, identity: TokenIdentity, at: DateTime<Utc>) -> Lookup {
        let session = identity.session;
        let now = self.coherence.clock.now();
        let cached = self.coherence.cache.get(session);
        let mut state = self.coherence.state_for_answer();
        state.replica.record_request(now);
        if let Some(cached) = cached
            && state
                .replica
                .may_answer(&cached.read, cached.snapshot.principal.id(), now)
        {
            if cached.snapshot.is_valid_for(identity, at) {
                return Lookup::Cached(cached.snapshot);
            }
            // The session may have been refreshed since. A rejection requires a read that began
            // after the request, so this read neither joins another nor is shared.
            let read = state.replica.begin_read(session, now);
            return Lookup::Read(self.pending(session, read, None));
        }
        if !state.replica.holds_lease(now) {
            // Without a lease no publisher waits for this replica, so this read may become stale
            // unnoticed: do not share it.
            self.coherence.lease_wanted.notify_one();
            let read = state.replica.begin_read(session, now);
            return Lookup::Read(self.pending(session, read, None));
        }
        match state.shared_reads.get(&session) {
            Some(shared) if state.replica.may_share(&shared.read, now) => Lookup::Join(shared.clone()),
            _ => {
                let read = state.replica.begin_read(session, now);
                let (sender, result) = watch::channel(None);
                state.shared_reads.insert(session, SharedRead { read, result });
                Lookup::Read(self.pending(session, read, Some(sender)))
            }
        }
    }

    /// Begins a read that no other request may wait for.
    fn begin_unshared(&self, session: SessionId) -> PendingRead {
        let now = self.coherence.clock.now();
        let read = self.coherence.state().replica.begin_read(session, now);
        self.pending(session, read, None)
    }

    fn pending(
        &self,
        session: SessionId,
        read: SnapshotRead,
        shared: Option<watch::Sender<Option<ReadResult>>>,
    ) -> PendingRead {
        PendingRead {
            session,
            read,
            shared,
            coherence: Arc::clone(&self.coherence),
        }
    }

    /// Reads the snapshot, caches it if it is current, and hands the result to waiting requests.
    async fn read(&self, pending: PendingRead) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        self.coherence.counters.from_database.increment(1);
        let result: ReadResult = match self.inner.snapshot(pending.session).await {
            Ok(snapshot) => Ok(snapshot.map(Arc::new)),
            Err(error) => Err(Arc::new(error)),
        };
        if let Ok(Some(snapshot)) = &result
            && self.is_current(&pending.read, snapshot)
        {
            self.coherence.cache.insert(CachedSnapshot {
                read: pending.read,
                snapshot: Arc::clone(snapshot),
            });
        }
        pending.finish(&result);
        unshare(result)
    }

    /// Waits for a read that began before this request. Returns `None` unless it failed or returned
    /// a current snapshot that accepts `identity` at `at`.
    async fn join(
        &self,
        mut shared: SharedRead,
        identity: TokenIdentity,
        at: DateTime<Utc>,
    ) -> Option<ReadResult> {
        let result = shared.result.wait_for(Option::is_some).await.ok()?.clone()?;
        match &result {
            Ok(Some(snapshot)) if !snapshot.is_valid_for(identity, at) => None,
            Ok(Some(snapshot)) if !self.is_current(&shared.read, snapshot) => None,
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(result),
        }
    }

    fn is_current(&self, read: &SnapshotRead, snapshot: &SessionSnapshot) -> bool {
        self.coherence
            .state()
            .replica
            .is_current(read, snapshot.principal.id())
    }
}

#[async_trait]
impl SessionSnapshots for CachedSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        let snapshot = self.read(self.begin_unshared(session)).await?;
        Ok(snapshot.map(Arc::unwrap_or_clone))
    }

    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        match self.look_up(identity, now) {
            Lookup::Cached(snapshot) => {
                self.coherence.counters.from_memory.increment(1);
                Ok(Some(snapshot))
            }
            Lookup::Read(pending) => self.read(pending).await,
            Lookup::Join(shared) => match self.join(shared, identity, now).await {
                Some(result) => {
                    self.coherence.counters.shared.increment(1);
                    unshare(result)
                }
                // A request joins at most one read, then reads for itself.
                None => self.read(self.begin_unshared(identity.session)).await,
            },
        }
    }
}

impl PendingRead {
    fn finish(mut self, result: &ReadResult) {
        if let Some(sender) = self.shared.take() {
            self.stop_sharing(&sender);
            sender.send_replace(Some(result.clone()));
        }
    }

    /// Keeps further requests from joining this read.
    fn stop_sharing(&self, sender: &watch::Sender<Option<ReadResult>>) {
        let reads = &mut self.coherence.state().shared_reads;
        // A newer read of the session may have replaced this one.
        if let Some(shared) = reads.get(&self.session)
            && shared.result.same_channel(&sender.subscribe())
        {
            reads.remove(&self.session);
        }
    }
}

impl Drop for PendingRead {
    fn drop(&mut self) {
        if let Some(sender) = self.shared.take() {
            self.stop_sharing(&sender);
        }
    }
}

/// Turns a shared result into the request's own. A shared error becomes the source of an error of
/// the same kind.
fn unshare(result: ReadResult) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
    result.map_err(|error| match &*error {
        PortError::Overloaded => PortError::Overloaded,
        PortError::Unavailable(_) => PortError::Unavailable(Box::new(error)),
        PortError::Corrupt(_) => PortError::Corrupt(Box::new(error)),
    })
}
