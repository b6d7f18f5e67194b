use super::{
    ids::{LeaseId, ReplicaId},
    terms::Terms,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The next step of a [`Publication`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PublicationStep {
    /// Read the lease holders from the database, then call [`Publication::record_holders`] or
    /// [`Publication::record_failure`].
    ReadHolders,
    /// Evict these leases in the database, then call [`Publication::record_eviction`] or
    /// [`Publication::record_failure`].
    Evict(Vec<LeaseId>),
    /// Wait for acknowledgements until this time.
    Wait(Duration),
    /// Complete the revocation: no replica serves a snapshot from before the change any more.
    Done,
}

/// An invalidation being published, from the commit of the changes to the completion of the
/// revocation. It may cover any number of changes, all committed before it began.
///
/// A publication always ends; faults only delay it. When neither the database nor the bus responds,
/// it ends after [`Terms::snapshot`], when every snapshot read before the commit has expired.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Publication {
    terms: Terms,
    /// When every snapshot read before the commit has expired on every replica.
    deadline: Duration,
    phase: Phase,
    /// The replicas that have not acknowledged, each with all of its leases.
    unacknowledged: BTreeMap<ReplicaId, Vec<LeaseId>>,
    acknowledged: BTreeSet<ReplicaId>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Phase {
    /// The lease holders are unknown. They are read at `not_before` or later.
    ReadingHolders { not_before: Duration },
    /// The holders were notified. Silent ones are evicted at `not_before` or later.
    CollectingAcknowledgements { not_before: Duration },
    /// The silent holders were evicted. Their leases have expired by `until`.
    AwaitingExpiry { until: Duration },
}

impl Publication {
    /// Begins a publication at `now`, which MUST be after the commit.
    #[must_use]
    pub fn begin(now: Duration, terms: Terms) -> Self {
        Self {
            terms,
            deadline: now + terms.snapshot.waited(),
            phase: Phase::ReadingHolders { not_before: now },
            unacknowledged: BTreeMap::new(),
            acknowledged: BTreeSet::new(),
        }
    }

    /// Returns the step to take at `now`.
    #[must_use]
    pub fn next_step(&self, now: Duration) -> PublicationStep {
        if now >= self.deadline {
            return PublicationStep::Done;
        }
        match self.phase {
            Phase::ReadingHolders { not_before } if now < not_before => PublicationStep::Wait(not_before),
            Phase::ReadingHolders { .. } => PublicationStep::ReadHolders,
            Phase::CollectingAcknowledgements { .. } | Phase::AwaitingExpiry { .. }
                if !self.awaits_acknowledgements() =>
            {
                PublicationStep::Done
            }
            Phase::CollectingAcknowledgements { not_before } if now < not_before => {
                PublicationStep::Wait(not_before)
            }
            Phase::CollectingAcknowledgements { .. } => {
                PublicationStep::Evict(self.unacknowledged.values().flatten().copied().collect())
            }
            Phase::AwaitingExpiry { until } if now < until => PublicationStep::Wait(until.min(self.deadline)),
            Phase::AwaitingExpiry { .. } => PublicationStep::Done,
        }
    }

    /// Records the leases that were held at some time after the commit. The caller MUST then send
    /// the invalidation to their holders if this publication [awaits
    /// acknowledgements](Self::awaits_acknowledgements).
    pub fn record_holders(&mut self, leases: impl IntoIterator<Item = LeaseId>, now: Duration) {
        for lease in leases {
            if !self.acknowledged.contains(&lease.replica) {
                self.unacknowledged.entry(lease.replica).or_default().push(lease);
            }
        }
        self.phase = Phase::CollectingAcknowledgements {
            not_before: now + self.terms.acknowledgement_budget,
        };
    }

    /// Returns whether a known lease holder has not acknowledged yet.
    #[must_use]
    pub fn awaits_acknowledgements(&self) -> bool {
        !self.unacknowledged.is_empty()
    }

    /// Records that `replica` has invalidated the published scopes. A publisher that also serves
    /// requests records itself first.
    pub fn record_acknowledgement(&mut self, replica: ReplicaId) {
        self.acknowledged.insert(replica);
        self.unacknowledged.remove(&replica);
    }

    /// Records that the silent holders were evicted before `now`: none of their leases can be
    /// renewed any more.
    pub fn record_eviction(&mut self, now: Duration) {
        self.phase = Phase::AwaitingExpiry {
            until: now + self.terms.lease.waited(),
        };
    }

    /// Records that the database did not execute the requested step. The step is repeated after
    /// [`Terms::renew_every`].
    pub fn record_failure(&mut self, now: Duration) {
        let later = now + self.terms.renew_every;
        match &mut self.phase {
            Phase::ReadingHolders { not_before } | Phase::CollectingAcknowledgements { not_before } => {
                *not_before = later;
            }
            Phase::AwaitingExpiry { .. } => {}
        }
    }
}

#[cfg(test)]
mod tests;
