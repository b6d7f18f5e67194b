use super::{InvalidationScope, Terms, invalidations::Invalidations};
use domain::{session::SessionId, user::UserId};
use std::{fmt, time::Duration};
use uuid::Uuid;

/// A process that serves or revokes, from its start to its end; the next start is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(pub Uuid);

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One lease of one replica. No number is used twice, so what is late for one lease never touches the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaseId {
    pub replica: ReplicaId,
    pub number: u32,
}

/// A read of a session's view, from its beginning on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Reading {
    pub(super) session: SessionId,
    pub(super) begun_at: Duration,
    pub(super) count: u64,
}

/// What a replica should do next about its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// Ask for a new lease, and tell [`Replica::granted`].
    Ask(LeaseId),
    /// Renew the lease, and tell [`Replica::granted`] or [`Replica::refused`].
    Renew(LeaseId),
    /// Nothing until then; without a time, until the next request.
    Rest(Option<Duration>),
}

/// What a replica knows of its lease and of what was invalidated: whether it may answer from memory.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Replica {
    id: ReplicaId,
    terms: Terms,
    standing: Standing,
    /// The number of the lease that was asked for last.
    asked: u32,
    last_request: Option<Duration>,
    invalidations: Invalidations,
}

/// Where a replica stands with its lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Standing {
    Without,
    Asking(LeaseId),
    /// Until it runs out, which [`Replica::holds_lease`] tells.
    Holding {
        lease: LeaseId,
        /// When the newest renewal that was granted was sent. It was granted later, and so lasts longer than from here.
        counted_from: Duration,
    },
    /// The process is about to end.
    Left,
}

impl Replica {
    #[must_use]
    pub fn new(id: ReplicaId, terms: Terms) -> Self {
        Self {
            id,
            terms,
            standing: Standing::Without,
            asked: 0,
            last_request: None,
            invalidations: Invalidations::default(),
        }
    }

    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.id
    }

    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// A request came that a lease would have served, or did.
    pub fn requested(&mut self, now: Duration) {
        self.last_request = self.last_request.max(Some(now));
    }

    /// Whether anything may be answered from memory at `now`.
    #[must_use]
    pub fn holds_lease(&self, now: Duration) -> bool {
        match self.standing {
            Standing::Holding { counted_from, .. } => {
                now.saturating_sub(counted_from) < self.terms.lease.trusted()
            }
            Standing::Without | Standing::Asking(_) | Standing::Left => false,
        }
    }

    /// A read of `session` begins at `now`, which MUST be before the database is asked.
    pub fn begin_read(&mut self, session: SessionId, now: Duration) -> Reading {
        self.invalidations.begin_read(session, now)
    }

    /// Whether a request that starts at `now` may be answered with what `reading` saw, a session of `user`.
    #[must_use]
    pub fn may_answer(&self, reading: &Reading, user: UserId, now: Duration) -> bool {
        self.may_share(reading, now) && self.is_current(reading, user)
    }

    /// Whether a request that starts at `now` may wait for `reading`, begun by another. What comes of it MUST be
    /// [current](Self::is_current) then, or be left.
    #[must_use]
    pub fn may_share(&self, reading: &Reading, now: Duration) -> bool {
        self.holds_lease(now)
            && now.saturating_sub(reading.begun_at) < self.terms.snapshot.trusted()
            && self.invalidations.spare_session(reading)
    }

    /// Whether nothing was invalidated since `reading` began that touches what it saw, a session of `user`.
    #[must_use]
    pub fn is_current(&self, reading: &Reading, user: UserId) -> bool {
        self.invalidations.spare_view(reading, user)
    }

    /// The subjects have changed. When this returns, nothing from before is answered from memory, and that may be
    /// acknowledged, whatever has become of the lease.
    pub fn invalidate(&mut self, subjects: &[InvalidationScope], now: Duration) {
        self.invalidations.invalidate(subjects, now, &self.terms);
    }

    /// Something may have been missed.
    pub fn forget(&mut self) {
        self.invalidations.forget();
    }

    /// Differs after everything was forgotten.
    #[must_use]
    pub fn era(&self) -> u64 {
        self.invalidations.floor()
    }

    /// What to do about the lease now.
    pub fn step(&mut self, now: Duration) -> Step {
        let idle_at = self.last_request.map(|last| last + self.terms.idle_after);
        let idle = idle_at.is_none_or(|at| now >= at);
        match self.standing {
            Standing::Left => Step::Rest(None),
            Standing::Without | Standing::Asking(_) if idle => Step::Rest(None),
            Standing::Without | Standing::Asking(_) => self.ask(),
            Standing::Holding { .. } if idle => {
                self.lose();
                Step::Rest(None)
            }
            Standing::Holding { lease, counted_from } => {
                let renewal_at = counted_from + self.terms.renew_every;
                if now >= renewal_at {
                    Step::Renew(lease)
                } else {
                    Step::Rest(Some(renewal_at))
                }
            }
        }
    }

    /// The database granted or renewed `lease`; `asked_at` MUST be a time before it was asked to.
    pub fn granted(&mut self, lease: LeaseId, asked_at: Duration) {
        let counted_from = match self.standing {
            Standing::Asking(asked) if asked == lease => {
                // What was read before is not covered by this lease: nobody waited for an acknowledgement then.
                self.forget();
                asked_at
            }
            Standing::Holding {
                lease: held,
                counted_from,
            } if held == lease => counted_from.max(asked_at),
            // Late: this lease was given up.
            _ => return,
        };
        self.standing = Standing::Holding { lease, counted_from };
    }

    /// The database refused to renew `lease`: it is gone, evicted or has run out.
    pub fn refused(&mut self, lease: LeaseId) {
        if matches!(self.standing, Standing::Holding { lease: held, .. } if held == lease) {
            self.lose();
        }
    }

    /// The process is about to end: nothing is answered from memory any more, and no lease asked for. The lease that it
    /// had, to be released.
    pub fn leave(&mut self) -> Option<LeaseId> {
        let held = match self.standing {
            Standing::Holding { lease, .. } | Standing::Asking(lease) => Some(lease),
            Standing::Without | Standing::Left => None,
        };
        self.lose();
        self.standing = Standing::Left;
        held
    }

    fn ask(&mut self) -> Step {
        self.asked += 1;
        let lease = LeaseId {
            replica: self.id,
            number: self.asked,
        };
        self.standing = Standing::Asking(lease);
        Step::Ask(lease)
    }

    fn lose(&mut self) {
        self.standing = Standing::Without;
        self.forget();
    }
}

#[cfg(test)]
mod tests;
