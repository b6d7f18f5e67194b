//! The modelled processes: replicas that serve requests, and revokers between their commit and the
//! completed revocation.

use super::mutant::Mutant;
use domain::{invalidation::InvalidationScope, principal::PrincipalId, session::SessionId, user::UserId};
use session_cache::protocol::{LeaseId, Publication, Replica, ReplicaId, SnapshotRead, Terms};
use std::{hash::Hash, time::Duration};
use uuid::Uuid;

pub const SESSION: SessionId = SessionId(Uuid::from_u128(1));
pub const USER: UserId = UserId(Uuid::from_u128(2));
const HOLDER: PrincipalId = PrincipalId::User(USER);

/// Number of ticks for which a snapshot is answered from memory.
pub const SNAPSHOT: u8 = 3;

/// Converts `count` ticks of the model to a duration.
pub fn ticks(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// A process that serves the session, and its cache.
#[derive(Clone, Debug)]
pub struct Serving {
    pub core: Replica,
    /// A cached snapshot from before the revocation. Later snapshots do not matter.
    pub cached: Option<StaleRead>,
    /// A read in progress that queried the database before the revocation.
    pub reading: Option<StaleRead>,
    /// The number of leases that the process has requested.
    pub requested: u32,
    /// By how much the process's clock is behind.
    pub behind: u8,
    /// When the process noticed the last pause, by its own clock.
    noticed_at: Option<u8>,
}

/// A read that queried the database before the revocation, and the tick at which it began by the
/// process's clock.
#[derive(Clone, Copy, Debug)]
pub struct StaleRead {
    pub read: SnapshotRead,
    pub begun_at: u8,
}

/// A request in flight to acquire or renew a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseRequest {
    pub lease: LeaseId,
    pub is_renewal: bool,
    /// By the clock of the replica.
    pub requested_at: u8,
    /// Whether the database granted the lease, or `None` before it executes the request.
    pub outcome: Option<bool>,
}

/// A process that revokes the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoker {
    Idle,
    /// The process read the lease holders before its commit, which only a mutant does.
    HasReadHolders(Vec<LeaseId>),
    Publishing(Publication),
    Done,
}

impl Serving {
    pub fn new(index: u8, terms: Terms) -> Self {
        Self {
            core: Replica::new(replica_id(index), terms),
            cached: None,
            reading: None,
            requested: 0,
            behind: 0,
            noticed_at: None,
        }
    }

    /// Returns the reading of the process's clock at `now`.
    pub fn clock(&self, now: u8) -> u8 {
        now.saturating_sub(self.behind)
    }

    /// Stops the process's clock for a tick that ends at `now`.
    pub fn pause(&mut self, now: u8, mutant: Option<Mutant>) {
        self.behind += 1;
        if mutant != Some(Mutant::UnnoticedPause) {
            let noticed_at = self.clock(now);
            self.core.distrust_lease(ticks(noticed_at));
            self.noticed_at = Some(noticed_at);
        }
    }

    /// Begins a read, for which the database returns the session from before the revocation.
    pub fn begin_read(&mut self, now: u8) {
        self.reading = Some(self.read_from(self.clock(now)));
    }

    fn read_from(&mut self, begun_at: u8) -> StaleRead {
        StaleRead {
            read: self.core.begin_read(SESSION, ticks(begun_at)),
            begun_at,
        }
    }

    /// Finishes the read, and caches its snapshot if it is current.
    pub fn finish_read(&mut self, mutant: Option<Mutant>) {
        let Some(mut stale) = self.reading.take() else {
            return;
        };
        if mutant == Some(Mutant::ReadsCountedFromTheResult) {
            stale = self.read_from(stale.begun_at);
        }
        if self.core.is_current(&stale.read, HOLDER) {
            self.cached = Some(stale);
        }
    }

    /// Receives the database's response to a lease request.
    pub fn receive_response(
        &mut self,
        request: &LeaseRequest,
        granted: bool,
        now: u8,
        mutant: Option<Mutant>,
    ) {
        let current = |stale: &StaleRead| self.core.is_current(&stale.read, HOLDER);
        let (cached, reading) = (self.cached.filter(current), self.reading.filter(current));
        let counted_from = match mutant {
            Some(Mutant::LeaseCountedFromTheResponse) => self.clock(now),
            _ => request.requested_at,
        };
        if granted {
            self.core.granted(request.lease, ticks(counted_from));
        } else {
            self.core.refused(request.lease);
        }
        if mutant == Some(Mutant::LeasesThatInvalidateNothing) {
            self.cached = cached.map(|stale| self.read_from(stale.begun_at));
            self.reading = reading.map(|stale| self.read_from(stale.begun_at));
        }
    }

    pub fn invalidate(&mut self, scope: InvalidationScope, now: u8) {
        self.core.invalidate(&[scope], ticks(self.clock(now)));
    }

    /// Drops reads that can no longer be answered, so that states that differ only in those are
    /// equal.
    pub fn tidy(&mut self, now: u8, mutant: Option<Mutant>) {
        let (core, now) = (&self.core, self.clock(now));
        let current = |stale: &StaleRead| core.is_current(&stale.read, HOLDER);
        let young = |stale: &StaleRead| now < stale.begun_at + SNAPSHOT;
        if mutant.is_none() {
            self.reading = self.reading.filter(|stale| current(stale) && young(stale));
            self.cached = self.cached.filter(|stale| current(stale) && young(stale));
        }
    }

    /// Returns everything that future behaviour depends on. Counters are included only as far as
    /// they affect the existing reads.
    pub fn essence(&self, now: u8) -> impl Hash + PartialEq + use<> {
        let now = self.clock(now);
        let of = |stale: &StaleRead| {
            let current = self.core.is_current(&stale.read, HOLDER);
            (
                stale.begun_at,
                current,
                self.core.may_share(&stale.read, ticks(now)),
            )
        };
        let (cached, reading) = (self.cached.as_ref().map(of), self.reading.as_ref().map(of));
        (
            self.core.id(),
            self.core.lease_state(),
            self.requested,
            (self.behind, self.noticed_at),
            cached,
            reading,
        )
    }

    /// Returns whether a request that starts at `now` is answered with data from before the
    /// revocation.
    pub fn accepts(&self, now: u8, mutant: Option<Mutant>) -> bool {
        let now = self.clock(now);
        self.cached.is_some_and(|stale| self.answers(&stale, now, mutant))
            || self.reading.is_some_and(|stale| self.shares(&stale, now, mutant))
    }

    fn answers(&self, stale: &StaleRead, now: u8, mutant: Option<Mutant>) -> bool {
        let read = &stale.read;
        match mutant {
            Some(Mutant::AnswersWithoutALease) => self.core.is_current(read, HOLDER),
            Some(Mutant::SnapshotsOfAnyAge) => {
                self.core.holds_lease(ticks(now)) && self.core.is_current(read, HOLDER)
            }
            _ => self.core.may_answer(read, HOLDER, ticks(now)),
        }
    }

    /// Returns whether a request that starts at `now` joins the read and is answered with its
    /// result.
    fn shares(&self, stale: &StaleRead, now: u8, mutant: Option<Mutant>) -> bool {
        let read = &stale.read;
        match mutant {
            Some(Mutant::JoinOfAStaleRead) => self.core.holds_lease(ticks(now)),
            Some(Mutant::JoinWithoutRevalidation) => self.core.may_share(read, ticks(now)),
            _ => self.core.may_share(read, ticks(now)) && self.core.is_current(read, HOLDER),
        }
    }
}

fn replica_id(index: u8) -> ReplicaId {
    ReplicaId(Uuid::from_u128(u128::from(index)))
}
