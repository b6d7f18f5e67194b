//! The processes: replicas that serve, and revokers on their way from the commit to the answer.

use crate::Mutant;
use domain::{invalidation::InvalidationScope, session::SessionId, user::UserId};
use session_cache::protocol::{Announcement, LeaseId, Reading, Replica, ReplicaId, Terms};
use std::{hash::Hash, time::Duration};
use uuid::Uuid;

pub const SESSION: SessionId = SessionId(Uuid::from_u128(1));
pub const USER: UserId = UserId(Uuid::from_u128(2));

/// How many ticks a view is answered from memory.
pub const VIEW: u8 = 3;

/// A tick of the model.
pub fn ticks(count: u8) -> Duration {
    Duration::from_secs(u64::from(count))
}

/// A process that serves the session, with its memory.
#[derive(Clone, Debug)]
pub struct Serving {
    pub core: Replica,
    /// A view of the session as it was before it was revoked. Others are of no interest.
    pub kept: Option<Seen>,
    /// A read that is under way, for which the database was asked already: before the session was revoked.
    pub reading: Option<Seen>,
    /// How many leases it has asked for.
    pub asked: u32,
}

/// A read that began at a tick.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    pub reading: Reading,
    pub begun_at: u8,
}

/// A renewal, or an asking for a new lease, that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ask {
    pub lease: LeaseId,
    pub is_renewal: bool,
    pub asked_at: u8,
    /// What the database did with it, once it has: whether it was granted.
    pub outcome: Option<bool>,
}

/// Somebody who revokes the session.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Revoker {
    Idle,
    /// Only a mutant does this.
    HasReadHolders(Vec<LeaseId>),
    Committed(Announcement),
    Answered,
}

impl Serving {
    pub fn new(index: u8, terms: Terms) -> Self {
        Self {
            core: Replica::new(replica_id(index), terms),
            kept: None,
            reading: None,
            asked: 0,
        }
    }

    /// A read begins, and the database answers that the session lives.
    pub fn begin_read(&mut self, now: u8) {
        self.reading = Some(self.read_from(now));
    }

    fn read_from(&mut self, begun_at: u8) -> Seen {
        Seen {
            reading: self.core.begin_read(SESSION, ticks(begun_at)),
            begun_at,
        }
    }

    /// A read comes to its end; the view is kept when it is current.
    pub fn finish_read(&mut self, mutant: Option<Mutant>) {
        let Some(mut seen) = self.reading.take() else {
            return;
        };
        if mutant == Some(Mutant::FillsThatDoNotCompareTheCounter) {
            seen = self.read_from(seen.begun_at);
        }
        if self.core.is_current(&seen.reading, USER) {
            self.kept = Some(seen);
        }
    }

    /// The answer to something that was asked of the database about the lease.
    pub fn answered(&mut self, ask: &Ask, granted: bool, now: u8, mutant: Option<Mutant>) {
        let current = |seen: &Seen| self.core.is_current(&seen.reading, USER);
        let (kept, reading) = (self.kept.filter(current), self.reading.filter(current));
        let counted_from = match mutant {
            Some(Mutant::LeaseCountedFromTheAnswer) => now,
            _ => ask.asked_at,
        };
        if granted {
            self.core.granted(ask.lease, ticks(counted_from));
        } else {
            self.core.refused(ask.lease);
        }
        if mutant == Some(Mutant::LeasesThatDoNotRaiseTheCounter) {
            self.kept = kept.map(|seen| self.read_from(seen.begun_at));
            self.reading = reading.map(|seen| self.read_from(seen.begun_at));
        }
    }

    pub fn invalidate(&mut self, subject: InvalidationScope, now: u8) {
        self.core.invalidate(&[subject], ticks(now));
    }

    /// Drops what can never be answered again, so that states which differ in nothing else are one.
    pub fn tidy(&mut self, now: u8, mutant: Option<Mutant>) {
        let core = &self.core;
        let current = |seen: &Seen| core.is_current(&seen.reading, USER);
        let young = |seen: &Seen| now < seen.begun_at + VIEW;
        if mutant.is_none() {
            self.reading = self.reading.filter(|seen| current(seen) && young(seen));
            self.kept = self.kept.filter(|seen| current(seen) && young(seen));
        }
    }

    /// All that the future depends on. The counters differ in more than that: what matters of them is what they say of the
    /// reads that there are.
    pub fn essence(&self, now: u8) -> impl Hash + PartialEq + use<> {
        let of = |seen: &Seen| {
            let current = self.core.is_current(&seen.reading, USER);
            (
                seen.begun_at,
                current,
                self.core.may_share(&seen.reading, ticks(now)),
            )
        };
        let (kept, reading) = (self.kept.as_ref().map(of), self.reading.as_ref().map(of));
        (self.core.id(), self.core.standing(), self.asked, kept, reading)
    }

    /// Whether a request that starts at `now` is answered from before the revocation.
    pub fn accepts(&self, now: u8, mutant: Option<Mutant>) -> bool {
        self.kept.is_some_and(|seen| self.answers(&seen, now, mutant))
            || self.reading.is_some_and(|seen| self.shares(&seen, now, mutant))
    }

    fn answers(&self, seen: &Seen, now: u8, mutant: Option<Mutant>) -> bool {
        let reading = &seen.reading;
        match mutant {
            Some(Mutant::AnswersWithoutALease) => self.core.is_current(reading, USER),
            Some(Mutant::ViewsOfAnyAge) => {
                self.core.holds_lease(ticks(now)) && self.core.is_current(reading, USER)
            }
            _ => self.core.may_answer(reading, USER, ticks(now)),
        }
    }

    /// Whether the request waits for a read that another has begun, and uses what comes of it.
    fn shares(&self, seen: &Seen, now: u8, mutant: Option<Mutant>) -> bool {
        let reading = &seen.reading;
        match mutant {
            Some(Mutant::WaiterThatUsesAnOlderRead) => self.core.holds_lease(ticks(now)),
            Some(Mutant::WaiterThatDoesNotLookAgain) => self.core.may_share(reading, ticks(now)),
            _ => self.core.may_share(reading, ticks(now)) && self.core.is_current(reading, USER),
        }
    }
}

fn replica_id(index: u8) -> ReplicaId {
    ReplicaId(Uuid::from_u128(u128::from(index)))
}
