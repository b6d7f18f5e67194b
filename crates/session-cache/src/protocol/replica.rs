use super::{
    ids::{LeaseId, ReplicaId},
    invalidations::Invalidations,
    snapshot_read::SnapshotRead,
    terms::Terms,
};
use domain::{invalidation::InvalidationScope, principal::PrincipalId, session::SessionId};
use std::time::Duration;

/// The next step that a [`Replica`] takes to acquire or keep its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseStep {
    /// Acquire a new lease, then call [`Replica::granted`] if the database granted it.
    Acquire(LeaseId),
    /// Renew the lease, then call [`Replica::granted`] or [`Replica::refused`].
    Renew(LeaseId),
    /// Wait until this time; without a time, until the next request.
    Wait(Option<Duration>),
}

/// The lease of a [`Replica`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LeaseState {
    /// The replica neither holds nor requests a lease.
    Absent,
    /// The lease was requested and not granted yet.
    Requested(LeaseId),
    /// The lease was granted. It may have expired since; see [`Replica::holds_lease`].
    Held {
        /// The granted lease.
        lease: LeaseId,
        /// When the request for the newest granted renewal was sent. The database granted it later,
        /// so the row expires later than a lease counted from here.
        counted_from: Duration,
    },
    /// The process is shutting down and requests no further lease.
    Left,
}

/// A replica's lease and the invalidations that it has received. Together they determine whether it
/// may answer from memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    id: ReplicaId,
    terms: Terms,
    lease: LeaseState,
    /// A lease that does not count from after this time is not relied on.
    distrusted_at: Option<Duration>,
    /// The number of the newest requested lease.
    last_number: u32,
    last_request: Option<Duration>,
    invalidations: Invalidations,
}

impl Replica {
    /// Creates a replica without a lease.
    #[must_use]
    pub fn new(id: ReplicaId, terms: Terms) -> Self {
        Self {
            id,
            terms,
            lease: LeaseState::Absent,
            distrusted_at: None,
            last_number: 0,
            last_request: None,
            invalidations: Invalidations::default(),
        }
    }

    /// Returns the replica's id.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    /// Returns the state of the lease, regardless of whether a held lease has expired.
    #[must_use]
    pub fn lease_state(&self) -> LeaseState {
        self.lease
    }

    /// Records a request for a session, which keeps the lease from being given up as idle.
    pub fn record_request(&mut self, now: Duration) {
        self.last_request = self.last_request.max(Some(now));
    }

    /// Returns whether requests may be answered from memory at `now`.
    #[must_use]
    pub fn holds_lease(&self, now: Duration) -> bool {
        match self.lease {
            LeaseState::Held { counted_from, .. } => {
                self.distrusted_at.is_none_or(|at| counted_from > at)
                    && now.saturating_sub(counted_from) < self.terms.lease.trusted()
            }
            LeaseState::Absent | LeaseState::Requested(_) | LeaseState::Left => false,
        }
    }

    /// Begins a read of `session` at `now`, which MUST be before the database is queried.
    pub fn begin_read(&mut self, session: SessionId, now: Duration) -> SnapshotRead {
        self.invalidations.begin_read(session, now)
    }

    /// Returns whether a request that starts at `now` may be answered with the snapshot that `read`
    /// returned, a session of `principal`.
    #[must_use]
    pub fn may_answer(&self, read: &SnapshotRead, principal: PrincipalId, now: Duration) -> bool {
        self.may_share(read, now) && self.is_current(read, principal)
    }

    /// Returns whether a request that starts at `now` may wait for `read`, begun by an earlier
    /// request. The caller MUST discard the result unless the read [is current](Self::is_current)
    /// when it returns.
    #[must_use]
    pub fn may_share(&self, read: &SnapshotRead, now: Duration) -> bool {
        self.holds_lease(now)
            && now.saturating_sub(read.begun_at) < self.terms.snapshot.trusted()
            && self.invalidations.is_session_current(read)
    }

    /// Returns whether no invalidation since `read` began covers its session or `principal`,
    /// the session's user or machine.
    #[must_use]
    pub fn is_current(&self, read: &SnapshotRead, principal: PrincipalId) -> bool {
        self.invalidations.is_snapshot_current(read, principal)
    }

    /// Invalidates `scopes`. When this returns, no older snapshot is served from memory, and the
    /// invalidation may be acknowledged in every state of the lease.
    pub fn invalidate(&mut self, scopes: &[InvalidationScope], now: Duration) {
        self.invalidations.invalidate(scopes, now, &self.terms);
    }

    /// Invalidates everything. Call this when invalidations may have been missed.
    pub fn invalidate_all(&mut self) {
        self.invalidations.invalidate_all();
    }

    /// Returns a number that increases each time everything is invalidated.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.invalidations.generation()
    }

    /// Returns the next step of the lease at `now`, and updates the lease's state accordingly.
    pub fn next_step(&mut self, now: Duration) -> LeaseStep {
        let idle_at = self.last_request.map(|last| last + self.terms.idle_after);
        let idle = idle_at.is_none_or(|at| now >= at);
        match self.lease {
            LeaseState::Left => LeaseStep::Wait(None),
            LeaseState::Absent | LeaseState::Requested(_) if idle => LeaseStep::Wait(None),
            LeaseState::Absent | LeaseState::Requested(_) => self.request_lease(),
            LeaseState::Held { .. } if idle => {
                self.lose_lease();
                LeaseStep::Wait(None)
            }
            LeaseState::Held { lease, counted_from } => {
                let renewal_at = counted_from + self.terms.renew_every;
                if now >= renewal_at {
                    LeaseStep::Renew(lease)
                } else {
                    LeaseStep::Wait(Some(renewal_at))
                }
            }
        }
    }

    /// Records that the database granted or renewed `lease`. `requested_at` MUST be a time before
    /// the request was sent.
    pub fn granted(&mut self, lease: LeaseId, requested_at: Duration) {
        let counted_from = match self.lease {
            LeaseState::Requested(requested) if requested == lease => {
                // This lease does not cover earlier reads: while there was no lease, no publisher
                // waited for this replica's acknowledgement.
                self.invalidate_all();
                requested_at
            }
            LeaseState::Held {
                lease: held,
                counted_from,
            } if held == lease => counted_from.max(requested_at),
            // This is a late response for a lease that was given up.
            _ => return,
        };
        self.lease = LeaseState::Held { lease, counted_from };
    }

    /// Records at `now` that the process's clock may have stood still. Invalidates everything,
    /// since snapshots are older than they seem. The lease, which may have expired unnoticed, is
    /// relied on again when a renewal that is requested later is granted.
    pub fn distrust_lease(&mut self, now: Duration) {
        self.invalidate_all();
        self.distrusted_at = self.distrusted_at.max(Some(now));
    }

    /// Records that the database refused to renew `lease`, because it was removed, evicted or
    /// expired.
    pub fn refused(&mut self, lease: LeaseId) {
        if matches!(self.lease, LeaseState::Held { lease: held, .. } if held == lease) {
            self.lose_lease();
        }
    }

    /// Begins the shutdown: nothing is served from memory any more, and no further lease is
    /// requested. Returns the lease to release, if one was held or requested.
    pub fn leave(&mut self) -> Option<LeaseId> {
        let held = match self.lease {
            LeaseState::Held { lease, .. } | LeaseState::Requested(lease) => Some(lease),
            LeaseState::Absent | LeaseState::Left => None,
        };
        self.lose_lease();
        self.lease = LeaseState::Left;
        held
    }

    fn request_lease(&mut self) -> LeaseStep {
        self.last_number += 1;
        let lease = LeaseId {
            replica: self.id,
            number: self.last_number,
        };
        self.lease = LeaseState::Requested(lease);
        LeaseStep::Acquire(lease)
    }

    fn lose_lease(&mut self) {
        self.lease = LeaseState::Absent;
        self.invalidate_all();
    }
}

#[cfg(test)]
mod tests;
