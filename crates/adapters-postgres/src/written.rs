//! The events that this process has written, until it knows that they were sealed.

use chrono::{DateTime, TimeDelta, Utc};
use domain::audit::{AuditMac, AuditNumber};
use std::{
    collections::{HashMap, HashSet},
    mem,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The maximum number of events that are watched. Events beyond it are written and not watched,
/// which is logged.
const MAX_WATCHED: usize = 50_000;

/// The minimum age of an event that retention may have removed: half of the minimum retention,
/// since the clocks of replicas differ.
const MIN_REMOVABLE_AGE: TimeDelta = TimeDelta::hours(12);

/// An event that this process has written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenEvent {
    /// The MAC of its pending form, by which it is recognised.
    pub mac: AuditMac,
    /// Its number in `audit_pending`.
    pub seq: i64,
    pub at: DateTime<Utc>,
}

/// The events that this process has written and committed. One whose transaction was rolled back,
/// or whose COMMIT was not answered, is not among them.
#[derive(Default)]
pub struct WrittenEvents {
    /// Notified of each event that this process writes.
    pub notify: Notify,
    watched: Mutex<Watched>,
}

#[derive(Default)]
struct Watched {
    events: HashMap<AuditMac, WrittenEvent>,
    /// Whether an event was not watched since at most half of the maximum was watched.
    has_overflowed: bool,
    /// The base of the chain at the last check.
    base: Option<AuditNumber>,
}

/// What a check of watched events has found in the database.
#[derive(Debug)]
pub struct Found {
    pub pending: HashSet<AuditMac>,
    pub sealed: HashSet<AuditMac>,
    /// The base of the chain. It was read last.
    pub base: AuditNumber,
}

impl WrittenEvents {
    /// Watches `events`, which were committed. Warns of the first one that is not watched.
    pub fn watch(&self, events: impl IntoIterator<Item = WrittenEvent>) {
        if self.add(events) {
            tracing::warn!(
                watched = MAX_WATCHED,
                "too many audit events are not sealed yet; the removal of further ones will not be reported"
            );
        }
    }

    /// Adds `events` up to the maximum. Returns whether this is the first overflow since at most
    /// half of the maximum was watched.
    fn add(&self, events: impl IntoIterator<Item = WrittenEvent>) -> bool {
        let mut watched = self.lock();
        let mut is_first_overflow = false;
        for event in events {
            if watched.events.len() < MAX_WATCHED {
                watched.events.insert(event.mac, event);
            } else if !mem::replace(&mut watched.has_overflowed, true) {
                is_first_overflow = true;
            }
        }
        is_first_overflow
    }

    /// Stops watching events, such as those that this process has sealed itself.
    pub fn forget(&self, macs: impl IntoIterator<Item = AuditMac>) {
        let mut watched = self.lock();
        for mac in macs {
            watched.events.remove(&mac);
        }
        if watched.events.len() <= MAX_WATCHED / 2 {
            watched.has_overflowed = false;
        }
    }

    /// Returns whether a check is useful: if events are watched, or there was none yet.
    pub fn needs_check(&self) -> bool {
        let watched = self.lock();
        watched.base.is_none() || !watched.events.is_empty()
    }

    /// Returns the `limit` watched events with the lowest numbers.
    pub fn oldest(&self, limit: usize) -> Vec<WrittenEvent> {
        let mut events: Vec<_> = self.lock().events.values().copied().collect();
        events.sort_unstable_by_key(|event| event.seq);
        events.truncate(limit);
        events
    }

    /// Returns those of `checked` that are missing at `now`. They stay watched until they are
    /// forgotten.
    ///
    /// If the log was trimmed since the last check, an old one that is not present may have been
    /// sealed and removed, so it is not missing and is forgotten. A younger one is missing even
    /// then: the program that deleted it can move the base as well.
    pub fn missing(
        &self,
        checked: Vec<WrittenEvent>,
        found: &Found,
        now: DateTime<Utc>,
    ) -> Vec<WrittenEvent> {
        self.forget(found.sealed.iter().copied());
        let is_present = |mac: &AuditMac| found.pending.contains(mac) || found.sealed.contains(mac);
        let was_trimmed = self.lock().base.replace(found.base) != Some(found.base);
        let is_removable = |event: &WrittenEvent| was_trimmed && now - event.at >= MIN_REMOVABLE_AGE;
        let absent = checked.into_iter().filter(|event| !is_present(&event.mac));
        let (removed, missing): (Vec<_>, Vec<_>) = absent.partition(is_removable);
        self.forget(removed.iter().map(|event| event.mac));
        missing
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::audit::AuditKeyId;

    fn event(seq: u8) -> WrittenEvent {
        WrittenEvent {
            mac: AuditMac {
                key: AuditKeyId([0; 8]),
                code: [seq; 32],
            },
            seq: seq.into(),
            at: DateTime::UNIX_EPOCH,
        }
    }

    fn found(pending: &[u8], sealed: &[u8], base: i64) -> Found {
        let macs = |seqs: &[u8]| seqs.iter().map(|seq| event(*seq).mac).collect();
        Found {
            pending: macs(pending),
            sealed: macs(sealed),
            base: AuditNumber(base),
        }
    }

    /// Checks all events of `written` when they are as old as `age`; returns the numbers of those
    /// that are missing.
    fn missing_at(age: TimeDelta, written: &WrittenEvents, found: &Found) -> Vec<i64> {
        let now = DateTime::UNIX_EPOCH + age;
        let missing = written.missing(written.oldest(MAX_WATCHED), found, now);
        missing.into_iter().map(|event| event.seq).collect()
    }

    fn missing(written: &WrittenEvents, found: &Found) -> Vec<i64> {
        missing_at(TimeDelta::seconds(1), written, found)
    }

    /// Events 1 to 4 after a check at the base 0.
    fn written() -> WrittenEvents {
        let written = WrittenEvents::default();
        assert!(written.needs_check());
        assert!(missing(&written, &found(&[], &[], 0)).is_empty());
        assert!(!written.needs_check());
        written.watch((1..=4).map(event));
        written
    }

    #[test]
    fn an_event_is_missing_if_it_is_neither_pending_nor_sealed() {
        let written = written();
        assert_eq!(missing(&written, &found(&[1, 2], &[3], 0)), [4]);
        assert_eq!(missing(&written, &found(&[1], &[2], 0)), [4], "not forgotten yet");
        written.forget([event(4).mac]);
        assert!(missing(&written, &found(&[], &[1], 0)).is_empty());
        assert!(!written.needs_check());
    }

    #[test]
    fn an_event_that_retention_may_have_removed_is_not_missing() {
        let written = written();
        let old = MIN_REMOVABLE_AGE;
        assert!(missing_at(old, &written, &found(&[1], &[2], 7)).is_empty());
        assert_eq!(
            missing_at(old, &written, &found(&[], &[], 7)),
            [1],
            "the others are forgotten, and the base did not move again"
        );
    }

    #[test]
    fn an_event_that_is_too_young_for_retention_is_missing_although_the_base_moved() {
        let written = written();
        let young = MIN_REMOVABLE_AGE - TimeDelta::microseconds(1);
        for base in [7, 8] {
            let found = found(&[1], &[2], base);
            assert_eq!(missing_at(young, &written, &found), [3, 4], "{base}");
        }
        let first_check = WrittenEvents::default();
        first_check.watch([event(1)]);
        assert_eq!(missing_at(young, &first_check, &found(&[], &[], 0)), [1]);
    }

    /// Returns `count` events with different MACs.
    fn many(count: usize) -> impl Iterator<Item = WrittenEvent> {
        (0..count).map(|number| {
            let mut event = event(0);
            event.mac.code[..8].copy_from_slice(&(number as u64).to_be_bytes());
            event
        })
    }

    #[test]
    fn an_overflow_is_logged_once_until_half_of_the_events_are_forgotten() {
        let written = WrittenEvents::default();
        assert!(!written.add(many(MAX_WATCHED)));
        assert!(written.add([event(1), event(2)]));
        assert!(!written.add([event(3)]));
        written.forget(many(1).map(|event| event.mac));
        assert!(!written.add([event(4), event(5)]));
        written.forget(many(MAX_WATCHED / 2 + 1).map(|event| event.mac));
        assert!(!written.add(many(MAX_WATCHED / 2)));
        assert!(written.add([event(6)]));
    }

    #[test]
    fn the_number_of_watched_events_is_limited_and_the_lowest_are_checked_first() {
        let written = WrittenEvents::default();
        written.watch(many(MAX_WATCHED + 1));
        assert_eq!(written.oldest(usize::MAX).len(), MAX_WATCHED);

        let written = self::written();
        let seqs: Vec<_> = written.oldest(2).iter().map(|event| event.seq).collect();
        assert_eq!(seqs, [1, 2]);
    }
}
