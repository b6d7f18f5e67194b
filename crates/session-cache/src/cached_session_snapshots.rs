use crate::protocol::Reading;
use crate::{
    Leasing,
    cache::CachedSession,
    coherence::{Flight, Outcome},
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

/// Views from memory while the lease lasts, and from the views beneath otherwise. However many ask for one session at once,
/// one of them reads. What was read before somebody asked lets in and never refuses: then it is read anew.
pub struct CachedSessionSnapshots {
    beneath: Arc<dyn SessionSnapshots>,
    leasing: Arc<Leasing>,
}

/// How a request gets its view.
enum Way {
    Kept(Arc<SessionSnapshot>),
    Wait(Flight),
    Read(Lead),
}

/// A read that this request makes, and whoever waits for it. When it is dropped, nobody waits for it any more.
struct Lead {
    session: SessionId,
    reading: Reading,
    outcome: Option<watch::Sender<Option<Outcome>>>,
    leasing: Arc<Leasing>,
}

impl CachedSessionSnapshots {
    #[must_use]
    pub fn new(beneath: Arc<dyn SessionSnapshots>, leasing: Arc<Leasing>) -> Self {
        Self { beneath, leasing }
    }

    fn way(&self, identity: TokenIdentity, at: DateTime<Utc>) -> Way {
        let session = identity.session;
        let now = self.leasing.clock.now();
        let kept = self.leasing.kept.get(session);
        let mut state = self.leasing.locked();
        state.replica.requested(now);
        if let Some(kept) = kept
            && state
                .replica
                .may_answer(&kept.reading, kept.snapshot.user.id, now)
        {
            if kept.snapshot.is_valid_for(identity, at) {
                return Way::Kept(kept.snapshot);
            }
            // Perhaps the session was refreshed. Nobody may wait for this read, and it waits for none: theirs began before.
            let reading = state.replica.begin_read(session, now);
            return Way::Read(self.lead(session, reading, None));
        }
        if !state.replica.holds_lease(now) {
            // Nobody may wait for this read: it could have been made before a revocation that did not wait for us.
            self.leasing.wanted.notify_one();
            let reading = state.replica.begin_read(session, now);
            return Way::Read(self.lead(session, reading, None));
        }
        match state.flights.get(&session) {
            Some(flight) if state.replica.may_share(&flight.reading, now) => Way::Wait(flight.clone()),
            _ => {
                let reading = state.replica.begin_read(session, now);
                let (sender, outcome) = watch::channel(None);
                state.flights.insert(session, Flight { reading, outcome });
                Way::Read(self.lead(session, reading, Some(sender)))
            }
        }
    }

    /// A read for which nobody waits.
    fn lead_alone(&self, session: SessionId) -> Lead {
        let now = self.leasing.clock.now();
        let reading = self.leasing.locked().replica.begin_read(session, now);
        self.lead(session, reading, None)
    }

    fn lead(
        &self,
        session: SessionId,
        reading: Reading,
        outcome: Option<watch::Sender<Option<Outcome>>>,
    ) -> Lead {
        Lead {
            session,
            reading,
            outcome,
            leasing: Arc::clone(&self.leasing),
        }
    }

    async fn read(&self, lead: Lead) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        self.leasing.meter.from_database.increment(1);
        let outcome: Outcome = match self.beneath.snapshot(lead.session).await {
            Ok(snapshot) => Ok(snapshot.map(Arc::new)),
            Err(error) => Err(Arc::new(error)),
        };
        if let Ok(Some(snapshot)) = &outcome
            && self.is_current(&lead.reading, snapshot)
        {
            self.leasing.kept.keep(CachedSession {
                reading: lead.reading,
                snapshot: Arc::clone(snapshot),
            });
        }
        lead.end(&outcome);
        answer(outcome)
    }

    /// Waits for another's read, which began before. `None` unless somebody is let in by it, or it failed.
    async fn wait(&self, mut flight: Flight, identity: TokenIdentity, at: DateTime<Utc>) -> Option<Outcome> {
        let outcome = flight.outcome.wait_for(Option::is_some).await.ok()?.clone()?;
        match &outcome {
            Ok(Some(snapshot)) if !snapshot.is_valid_for(identity, at) => None,
            Ok(Some(snapshot)) if !self.is_current(&flight.reading, snapshot) => None,
            Ok(None) => None,
            Ok(Some(_)) | Err(_) => Some(outcome),
        }
    }

    fn is_current(&self, reading: &Reading, snapshot: &SessionSnapshot) -> bool {
        self.leasing
            .locked()
            .replica
            .is_current(reading, snapshot.user.id)
    }
}

#[async_trait]
impl SessionSnapshots for CachedSessionSnapshots {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        let snapshot = self.read(self.lead_alone(session)).await?;
        Ok(snapshot.map(Arc::unwrap_or_clone))
    }

    async fn snapshot_for(
        &self,
        identity: TokenIdentity,
        now: DateTime<Utc>,
    ) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
        match self.way(identity, now) {
            Way::Kept(snapshot) => {
                self.leasing.meter.from_memory.increment(1);
                Ok(Some(snapshot))
            }
            Way::Read(lead) => self.read(lead).await,
            Way::Wait(flight) => match self.wait(flight, identity, now).await {
                Some(outcome) => {
                    self.leasing.meter.shared.increment(1);
                    answer(outcome)
                }
                // Once is enough: whoever waited in vain does not wait again.
                None => self.read(self.lead_alone(identity.session)).await,
            },
        }
    }
}

impl Lead {
    fn end(mut self, outcome: &Outcome) {
        if let Some(waiting) = self.outcome.take() {
            self.land(&waiting);
            waiting.send_replace(Some(outcome.clone()));
        }
    }

    /// Lets nobody else wait for this read.
    fn land(&self, waiting: &watch::Sender<Option<Outcome>>) {
        let flights = &mut self.leasing.locked().flights;
        // A younger read of the same session may have taken its place.
        if let Some(flight) = flights.get(&self.session)
            && flight.outcome.same_channel(&waiting.subscribe())
        {
            flights.remove(&self.session);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        if let Some(waiting) = self.outcome.take() {
            self.land(&waiting);
        }
    }
}

fn answer(outcome: Outcome) -> Result<Option<Arc<SessionSnapshot>>, PortError> {
    outcome.map_err(|error| match &*error {
        PortError::Overloaded => PortError::Overloaded,
        PortError::Unavailable(_) => PortError::Unavailable(Box::new(error)),
        PortError::Corrupt(_) => PortError::Corrupt(Box::new(error)),
    })
}
