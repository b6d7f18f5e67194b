use super::{snapshot_read::SnapshotRead, terms::Terms};
use domain::{invalidation::InvalidationScope, principal::PrincipalId, session::SessionId};
use std::{collections::BTreeMap, time::Duration};

/// Maximum number of marks. One more invalidates everything, which is always safe.
const MAX_MARKS: usize = 4096;

/// Which scopes were invalidated, and in what order relative to reads.
///
/// Order is counted in invalidations, not in time: a read records the count when it begins, and its
/// snapshot is current while no later invalidation covers the session or its user.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Invalidations {
    count: u64,
    /// The count when everything was last invalidated.
    floor: u64,
    marks: BTreeMap<InvalidationScope, Mark>,
    /// The latest time at which a read began.
    latest_read: Duration,
}

/// The latest invalidation of one scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Mark {
    count: u64,
    /// Every read that this mark makes stale began at this time or earlier.
    at: Duration,
}

impl Invalidations {
    /// Begins a read of `session`.
    pub fn begin_read(&mut self, session: SessionId, now: Duration) -> SnapshotRead {
        self.latest_read = self.latest_read.max(now);
        SnapshotRead {
            session,
            begun_at: now,
            invalidations: self.count,
        }
    }

    /// Returns whether no invalidation since `read` began covers its session. Invalidations of the
    /// session's principal are not considered: it is unknown until the read returns.
    pub fn is_session_current(&self, read: &SnapshotRead) -> bool {
        read.invalidations >= self.floor && self.is_unmarked(read, InvalidationScope::Session(read.session))
    }

    /// Returns whether no invalidation since `read` began covers its session or `principal`, the
    /// session's user or machine.
    pub fn is_snapshot_current(&self, read: &SnapshotRead, principal: PrincipalId) -> bool {
        self.is_session_current(read) && self.is_unmarked(read, InvalidationScope::all_of(principal))
    }

    fn is_unmarked(&self, read: &SnapshotRead, scope: InvalidationScope) -> bool {
        self.marks
            .get(&scope)
            .is_none_or(|mark| read.invalidations >= mark.count)
    }

    /// Invalidates every read that began before this call and is covered by one of `scopes`.
    pub fn invalidate(&mut self, scopes: &[InvalidationScope], now: Duration, terms: &Terms) {
        self.count += 1;
        for scope in scopes {
            if *scope == InvalidationScope::Everything {
                return self.invalidate_all();
            }
            self.mark(*scope, now, terms);
        }
    }

    /// Invalidates every read that began before this call.
    pub fn invalidate_all(&mut self) {
        self.count += 1;
        self.floor = self.count;
        self.marks.clear();
    }

    /// Returns a number that increases each time everything is invalidated.
    pub fn generation(&self) -> u64 {
        self.floor
    }

    fn mark(&mut self, scope: InvalidationScope, now: Duration, terms: &Terms) {
        let mark = Mark {
            count: self.count,
            // A concurrent read may have taken a later clock reading and still begun first.
            at: now.max(self.latest_read),
        };
        self.marks.insert(scope, mark);
        if self.marks.len() > MAX_MARKS {
            // A snapshot older than this is never served, with or without a mark.
            let oldest = now.saturating_sub(terms.snapshot.trusted());
            self.marks.retain(|_, mark| mark.at > oldest);
        }
        if self.marks.len() > MAX_MARKS {
            self.invalidate_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{machine::MachineId, user::UserId};
    use uuid::Uuid;

    const TERMS: Terms = Terms::STANDARD;
    const USER: UserId = UserId(Uuid::from_u128(1));

    fn session(number: u128) -> SessionId {
        SessionId(Uuid::from_u128(number))
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_read_goes_stale_only_when_its_session_or_user_is_invalidated() {
        for (scope, current) in [
            (InvalidationScope::Session(session(1)), false),
            (InvalidationScope::Session(session(2)), true),
            (InvalidationScope::User(USER), false),
            (InvalidationScope::User(UserId(Uuid::from_u128(2))), true),
            // No user and machine have the same id.
            (InvalidationScope::Machine(MachineId(Uuid::from_u128(1))), true),
            (InvalidationScope::Everything, false),
        ] {
            let mut invalidations = Invalidations::default();
            let before = invalidations.begin_read(session(1), seconds(1));
            invalidations.invalidate(&[scope], seconds(2), &TERMS);
            let after = invalidations.begin_read(session(1), seconds(3));
            assert_eq!(
                invalidations.is_snapshot_current(&before, USER.into()),
                current,
                "{scope:?}"
            );
            assert!(
                invalidations.is_snapshot_current(&after, USER.into()),
                "{scope:?}"
            );
        }
    }

    #[test]
    fn exceeding_the_mark_limit_invalidates_everything() {
        let mut invalidations = Invalidations::default();
        let read = invalidations.begin_read(session(0), seconds(1));
        for number in 1..=MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], seconds(2), &TERMS);
        }
        assert!(invalidations.is_snapshot_current(&read, USER.into()));
        invalidations.invalidate(
            &[InvalidationScope::Session(session(u128::MAX))],
            seconds(2),
            &TERMS,
        );
        assert!(!invalidations.is_snapshot_current(&read, USER.into()));
        assert!(invalidations.marks.is_empty());
    }

    #[test]
    fn marks_older_than_any_servable_snapshot_are_dropped() {
        let mut invalidations = Invalidations::default();
        for number in 0..MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], seconds(1), &TERMS);
        }
        let read = invalidations.begin_read(session(0), seconds(2));
        invalidations.invalidate(&[InvalidationScope::User(USER)], seconds(100), &TERMS);
        assert!(!invalidations.is_snapshot_current(&read, USER.into()));
        assert!(invalidations.is_session_current(&read));
        assert_eq!(invalidations.marks.len(), 1);
    }

    #[test]
    fn a_mark_outlives_a_read_with_a_later_clock_reading_that_began_first() {
        let mut invalidations = Invalidations::default();
        let read = invalidations.begin_read(session(0), seconds(11));
        invalidations.invalidate(&[InvalidationScope::Session(session(0))], seconds(10), &TERMS);
        let almost = seconds(10) + TERMS.snapshot.trusted() + Duration::from_millis(500);
        for number in 1..=MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], almost, &TERMS);
        }
        assert!(!invalidations.is_snapshot_current(&read, USER.into()));
    }
}
