use super::{InvalidationScope, Reading, Terms};
use domain::{session::SessionId, user::UserId};
use std::{collections::BTreeMap, time::Duration};

/// How many marks are kept. When there are more, everything counts as invalidated, which is always safe.
const MAX_MARKS: usize = 4096;

/// What was invalidated when, counted in invalidations and not in time. A read remembers where the count stood when it
/// began, and what it saw is current while nothing that it shows was invalidated since.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Default)]
pub struct Invalidations {
    count: u64,
    /// The count when everything was last invalidated.
    floor: u64,
    marks: BTreeMap<InvalidationScope, Mark>,
    /// The latest time that a read began.
    latest_read: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Mark {
    count: u64,
    /// No read that this invalidates began later.
    at: Duration,
}

impl Invalidations {
    /// A read of `session` begins.
    pub fn begin_read(&mut self, session: SessionId, now: Duration) -> Reading {
        self.latest_read = self.latest_read.max(now);
        Reading {
            session,
            begun_at: now,
            count: self.count,
        }
    }

    /// Whether nothing was invalidated since the read began that touches its session, as far as the session's id tells.
    pub fn spare_session(&self, reading: &Reading) -> bool {
        reading.count >= self.floor && self.spare(reading, InvalidationScope::Session(reading.session))
    }

    /// Whether nothing was invalidated since the read began that touches what it saw, a session of `user`.
    pub fn spare_view(&self, reading: &Reading, user: UserId) -> bool {
        self.spare_session(reading) && self.spare(reading, InvalidationScope::User(user))
    }

    fn spare(&self, reading: &Reading, subject: InvalidationScope) -> bool {
        self.marks
            .get(&subject)
            .is_none_or(|mark| reading.count >= mark.count)
    }

    pub fn invalidate(&mut self, subjects: &[InvalidationScope], now: Duration, terms: &Terms) {
        self.count += 1;
        for subject in subjects {
            if *subject == InvalidationScope::Everything {
                return self.forget();
            }
            self.mark(*subject, now, terms);
        }
    }

    /// Invalidates everything.
    pub fn forget(&mut self) {
        self.count += 1;
        self.floor = self.count;
        self.marks.clear();
    }

    /// Tells one state of having forgotten from the next.
    pub fn floor(&self) -> u64 {
        self.floor
    }

    fn mark(&mut self, subject: InvalidationScope, now: Duration, terms: &Terms) {
        let mark = Mark {
            count: self.count,
            // Whoever began to read may have looked at the clock later and yet come here first.
            at: now.max(self.latest_read),
        };
        self.marks.insert(subject, mark);
        if self.marks.len() > MAX_MARKS {
            // Nothing answers from a view that is too old, with a mark or without.
            let oldest = now.saturating_sub(terms.snapshot.trusted());
            self.marks.retain(|_, mark| mark.at > oldest);
        }
        if self.marks.len() > MAX_MARKS {
            self.forget();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn a_read_is_outdated_by_what_it_shows_and_by_nothing_else() {
        for (subject, spared) in [
            (InvalidationScope::Session(session(1)), false),
            (InvalidationScope::Session(session(2)), true),
            (InvalidationScope::User(USER), false),
            (InvalidationScope::User(UserId(Uuid::from_u128(2))), true),
            (InvalidationScope::Everything, false),
        ] {
            let mut invalidations = Invalidations::default();
            let before = invalidations.begin_read(session(1), seconds(1));
            invalidations.invalidate(&[subject], seconds(2), &TERMS);
            let after = invalidations.begin_read(session(1), seconds(3));
            assert_eq!(invalidations.spare_view(&before, USER), spared, "{subject:?}");
            assert!(invalidations.spare_view(&after, USER), "{subject:?}");
        }
    }

    #[test]
    fn more_marks_than_are_kept_invalidate_everything() {
        let mut invalidations = Invalidations::default();
        let reading = invalidations.begin_read(session(0), seconds(1));
        for number in 1..=MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], seconds(2), &TERMS);
        }
        assert!(invalidations.spare_view(&reading, USER));
        invalidations.invalidate(
            &[InvalidationScope::Session(session(u128::MAX))],
            seconds(2),
            &TERMS,
        );
        assert!(!invalidations.spare_view(&reading, USER));
        assert!(invalidations.marks.is_empty());
    }

    #[test]
    fn marks_that_are_older_than_any_view_make_room() {
        let mut invalidations = Invalidations::default();
        for number in 0..MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], seconds(1), &TERMS);
        }
        let reading = invalidations.begin_read(session(0), seconds(2));
        invalidations.invalidate(&[InvalidationScope::User(USER)], seconds(100), &TERMS);
        assert!(!invalidations.spare_view(&reading, USER));
        assert!(invalidations.spare_session(&reading));
        assert_eq!(invalidations.marks.len(), 1);
    }

    #[test]
    fn a_mark_outlives_a_read_that_looked_at_the_clock_later_and_came_first() {
        let mut invalidations = Invalidations::default();
        let reading = invalidations.begin_read(session(0), seconds(11));
        invalidations.invalidate(&[InvalidationScope::Session(session(0))], seconds(10), &TERMS);
        let almost = seconds(10) + TERMS.snapshot.trusted() + Duration::from_millis(500);
        for number in 1..=MAX_MARKS as u128 {
            invalidations.invalidate(&[InvalidationScope::Session(session(number))], almost, &TERMS);
        }
        assert!(!invalidations.spare_view(&reading, USER));
    }
}
