use super::{LeaseId, ReplicaId, Terms};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// One announcement of one process. No number is used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnnouncementId {
    pub by: ReplicaId,
    pub number: u64,
}

/// What a revoker should do next about an announcement.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Demand {
    /// Read who holds leases, and tell [`Announcement::holders`] or [`Announcement::failed`].
    ReadHolders,
    /// Evict these leases, and tell [`Announcement::evicted`] or [`Announcement::failed`].
    Evict(Vec<LeaseId>),
    /// Nothing until then, but for acknowledgements.
    Wait(Duration),
    /// No replica answers from before the change any more: answer the revocation.
    Answer,
}

/// A revoker's way from its commit to its answer. One announcement may be about any number of changes that were committed
/// before it began.
///
/// It always comes to an answer, and faults only make it later. The last resort needs neither database nor bus: no view
/// from before the commit is answered when it is older than [`Terms::snapshot`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Announcement {
    terms: Terms,
    /// When no view from before the commit is answered by anybody, whatever happens.
    settled_at: Duration,
    phase: Phase,
    /// Who has to acknowledge, each with all of its leases.
    awaited: BTreeMap<ReplicaId, Vec<LeaseId>>,
    acknowledged: BTreeSet<ReplicaId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// It is not known who holds leases.
    Reading { not_before: Duration },
    /// They were told, and acknowledge.
    Collecting { not_before: Duration },
    /// The silent ones were evicted; their leases run out.
    WaitingOut { until: Duration },
}

impl Announcement {
    /// Begins at `now`, which MUST be after the commit.
    #[must_use]
    pub fn begin(now: Duration, terms: Terms) -> Self {
        Self {
            terms,
            settled_at: now + terms.snapshot.waited(),
            phase: Phase::Reading { not_before: now },
            awaited: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// What to do at `now`.
    #[must_use]
    pub fn demand(&self, now: Duration) -> Demand {
        if now >= self.settled_at {
            return Demand::Answer;
        }
        match self.phase {
            Phase::Reading { not_before } if now < not_before => Demand::Wait(not_before),
            Phase::Reading { .. } => Demand::ReadHolders,
            Phase::Collecting { .. } | Phase::WaitingOut { .. } if self.awaited.is_empty() => Demand::Answer,
            Phase::Collecting { not_before } if now < not_before => Demand::Wait(not_before),
            Phase::Collecting { .. } => Demand::Evict(self.awaited.values().flatten().copied().collect()),
            Phase::WaitingOut { until } if now < until => Demand::Wait(until.min(self.settled_at)),
            Phase::WaitingOut { .. } => Demand::Answer,
        }
    }

    /// These were the leases at some time after the commit. The holders have to be told now.
    pub fn holders(&mut self, leases: impl IntoIterator<Item = LeaseId>, now: Duration) {
        for lease in leases {
            if !self.acknowledged.contains(&lease.replica) {
                self.awaited.entry(lease.replica).or_default().push(lease);
            }
        }
        self.phase = Phase::Collecting {
            not_before: now + self.terms.patience,
        };
    }

    /// Whether somebody has to be told.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        !self.awaited.is_empty()
    }

    /// `replica` has invalidated what this is about. Whoever revokes and serves begins with itself.
    pub fn acknowledged(&mut self, replica: ReplicaId) {
        self.acknowledged.insert(replica);
        self.awaited.remove(&replica);
    }

    /// The silent ones were evicted before `now`: none of their leases can be renewed any more.
    pub fn evicted(&mut self, now: Duration) {
        self.phase = Phase::WaitingOut {
            until: now + self.terms.lease.waited(),
        };
    }

    /// The database did not do what was demanded. It is demanded again, a little later.
    pub fn failed(&mut self, now: Duration) {
        let later = now + self.terms.renew_every;
        match &mut self.phase {
            Phase::Reading { not_before } | Phase::Collecting { not_before } => *not_before = later,
            Phase::WaitingOut { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
