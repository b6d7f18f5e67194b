use super::{
    database::Database,
    process::{LeaseRequest, Revoker, Serving},
};
use session_cache::protocol::{LeaseId, Publication, ReplicaId};
use std::{
    collections::BTreeSet,
    hash::{Hash, Hasher},
};

/// A state of the whole system.
#[derive(Clone, Debug)]
pub struct State {
    pub(crate) now: u8,
    pub(crate) database: Database,
    pub(crate) serving: Vec<Serving>,
    pub(crate) revokers: Vec<Revoker>,
    pub(crate) requests: BTreeSet<LeaseRequest>,
    pub(crate) releases: BTreeSet<LeaseId>,
    /// The messages on the bus: invalidations by revoker, and acknowledgements by revoker and
    /// replica.
    ///
    /// Messages are never removed, so each may arrive late, repeatedly, in any order or never.
    pub(crate) published: BTreeSet<usize>,
    pub(crate) acknowledged: BTreeSet<(usize, ReplicaId)>,
}

/// An event that changes the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Tick,
    /// A hypervisor pauses the machine of a replica for a tick, and then steps its calendar clock.
    Pause(usize),
    /// A replica performs the next step of acquiring or renewing its lease.
    Step(usize),
    /// The database executes a lease request.
    Execute(LeaseRequest),
    /// The database's response arrives.
    Respond(LeaseRequest),
    Leave(usize),
    Release(LeaseId),
    BeginRead(usize),
    FinishRead(usize),
    Commit(usize),
    ReadHolders(usize),
    /// A replica receives a revoker's invalidation.
    Invalidate {
        revoker: usize,
        replica: usize,
    },
    Acknowledge {
        revoker: usize,
        by: ReplicaId,
    },
    Evict(usize),
    Complete(usize),
}

impl State {
    /// Returns the running publication of a revoker.
    pub(crate) fn publication(&mut self, revoker: usize) -> Option<&mut Publication> {
        match self.revokers.get_mut(revoker)? {
            Revoker::Publishing(publication) => Some(publication),
            Revoker::Idle | Revoker::HasReadHolders(_) | Revoker::Done => None,
        }
    }

    fn essence(&self) -> impl Hash + PartialEq + use<'_> {
        let serving: Vec<_> = self.serving.iter().map(|it| it.essence(self.now)).collect();
        let messages = (
            &self.requests,
            &self.releases,
            &self.published,
            &self.acknowledged,
        );
        (self.now, &self.database, serving, &self.revokers, messages)
    }
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.essence() == other.essence()
    }
}

impl Hash for State {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.essence().hash(hasher);
    }
}
