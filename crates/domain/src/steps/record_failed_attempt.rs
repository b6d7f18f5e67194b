mod failure_counts;

use self::failure_counts::{FailureCounts, FailureKey, Omitted};
use crate::{
    audit::{Actor, AuditContext, AuditEvent, Origin},
    ports::{AuditEvents, PortError},
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of counts that are recorded together. Other changes may wait for them.
const BATCH: usize = 250;

/// Records failed attempts in the audit log, up to a quota per minute for each cause, user and
/// network, so that a flood of them neither fills the disk nor hides the others. Attempts beyond
/// the quota are counted, and the counts are recorded.
pub struct RecordFailedAttempt {
    events: Arc<dyn AuditEvents>,
    per_minute: u32,
    counts: Mutex<FailureCounts>,
}

impl RecordFailedAttempt {
    /// Creates a step that records at most `per_minute` failures with one cause, at one user and
    /// from one network, a minute in this process.
    pub fn new(events: Arc<dyn AuditEvents>, per_minute: u32) -> Self {
        Self {
            events,
            per_minute,
            counts: Mutex::new(FailureCounts::new()),
        }
    }

    /// Records a failed attempt, or counts it if its quota of this minute is used up.
    ///
    /// # Errors
    /// Returns an error of the audit log if the attempt could not be recorded. It is then counted.
    /// If the log recorded it and reported an error, it is both recorded and counted.
    pub async fn execute(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let (key, at) = (FailureKey::of(&event, &context), context.at);
        if !self.counts().count(key.clone(), self.per_minute, at) {
            return Ok(());
        }
        let recorded = self.events.record(event, context).await;
        if recorded.is_err() {
            self.counts().omit(key, at);
        }
        recorded
    }

    /// Records the counts of the attempts that were not recorded individually: an event for each
    /// cause, user and network. Call this once a minute, and when the process stops.
    ///
    /// # Errors
    /// Returns the first error of the audit log. The counts that were not recorded are kept for the
    /// next call. If the log recorded counts and reported an error, they are recorded again. If the
    /// future is dropped, up to 250 counts may be lost.
    pub async fn settle(&self, context: AuditContext) -> Result<(), PortError> {
        let context = AuditContext {
            origin: Origin::default(),
            actor: Actor::Anonymous,
            ..context
        };
        let keys = self.counts().omitted();
        for keys in keys.chunks(BATCH) {
            let taken = self.take(keys);
            let events = taken.iter().map(|(key, omitted)| key.event(*omitted)).collect();
            if let Err(error) = self.events.record_all(events, context.clone()).await {
                self.put_back(taken);
                return Err(error);
            }
        }
        Ok(())
    }

    fn take<'a>(&self, keys: &'a [FailureKey]) -> Vec<(&'a FailureKey, Omitted)> {
        let mut counts = self.counts();
        keys.iter()
            .filter_map(|key| Some((key, counts.take(key)?)))
            .collect()
    }

    fn put_back(&self, taken: Vec<(&FailureKey, Omitted)>) {
        let mut counts = self.counts();
        for (key, omitted) in taken {
            counts.put_back(key.clone(), omitted);
        }
    }

    fn counts(&self) -> MutexGuard<'_, FailureCounts> {
        // No method panics between two updates of the counters, so they are valid after a panic.
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::AuditAction,
        fixtures::{USER, now, origin},
        ports::MockAuditEvents,
        user::UserId,
    };
    use chrono::Duration;

    fn context(second: i64) -> AuditContext {
        AuditContext::new(now() + Duration::seconds(second), Actor::Anonymous, origin())
    }

    fn failure() -> AuditEvent {
        AuditEvent::new(AuditAction::LoginFailed)
    }

    type Recorded = Arc<Mutex<Vec<AuditEvent>>>;
    type Fails = Arc<Mutex<bool>>;

    /// Creates the step with an audit log that keeps the recorded events, and fails while `Fails`
    /// is true.
    fn recording(per_minute: u32) -> (RecordFailedAttempt, Recorded, Fails) {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let fails = Arc::new(Mutex::new(false));
        let mut events = MockAuditEvents::new();
        let (kept, failing) = (Arc::clone(&recorded), Arc::clone(&fails));
        let record = move |events: Vec<AuditEvent>| {
            if *failing.lock().expect("no other thread panics") {
                return Err(PortError::Overloaded);
            }
            kept.lock().expect("no other thread panics").extend(events);
            Ok(())
        };
        let record_one = record.clone();
        events
            .expect_record()
            .returning(move |event, _| record_one(vec![event]));
        events
            .expect_record_all()
            .returning(move |events, _| record(events));
        (
            RecordFailedAttempt::new(Arc::new(events), per_minute),
            recorded,
            fails,
        )
    }

    fn take_events(recorded: &Mutex<Vec<AuditEvent>>) -> Vec<(AuditAction, Option<String>)> {
        std::mem::take(&mut *recorded.lock().expect("no other thread panics"))
            .into_iter()
            .map(|event| (event.action, event.details.get("count").cloned()))
            .collect()
    }

    fn omitted(count: &str) -> (AuditAction, Option<String>) {
        (AuditAction::FailuresOmitted, Some(count.to_owned()))
    }

    async fn fail(record: &RecordFailedAttempt, event: AuditEvent, second: i64) {
        let recorded = record.execute(event, context(second)).await;
        recorded.expect("the audit log is available");
    }

    #[tokio::test]
    async fn failures_beyond_the_quota_are_counted_and_the_count_is_recorded_once() {
        let (record, recorded, _) = recording(2);
        for _ in 0..5 {
            fail(&record, failure(), 0).await;
        }
        let one = (AuditAction::LoginFailed, None);
        assert_eq!(take_events(&recorded), [one.clone(), one.clone()]);
        // A failure of the next minute does not have to write the counts of the last one.
        fail(&record, failure(), 60).await;
        assert_eq!(take_events(&recorded), [one]);
        for expected in [&[omitted("3")][..], &[]] {
            let settled = record.settle(context(60)).await;
            settled.expect("the audit log is available");
            assert_eq!(take_events(&recorded), expected);
        }
    }

    #[tokio::test]
    async fn junk_does_not_hide_a_guess_at_a_user() {
        let (record, recorded, _) = recording(1);
        for _ in 0..50 {
            fail(&record, failure(), 0).await;
        }
        take_events(&recorded);
        let guess = AuditEvent {
            user: Some(USER),
            ..failure()
        };
        fail(&record, guess, 0).await;
        assert_eq!(take_events(&recorded), [(AuditAction::LoginFailed, None)]);
    }

    #[tokio::test]
    async fn a_failure_that_cannot_be_recorded_is_counted() {
        let (record, recorded, fails) = recording(2);
        *fails.lock().expect("no other thread panics") = true;
        assert!(record.execute(failure(), context(0)).await.is_err());
        *fails.lock().expect("no other thread panics") = false;
        fail(&record, failure(), 1).await;
        let settled = record.settle(context(60)).await;
        settled.expect("the audit log is available");
        assert_eq!(
            take_events(&recorded),
            [(AuditAction::LoginFailed, None), omitted("1")]
        );
    }

    #[tokio::test]
    async fn counts_are_kept_until_they_can_be_recorded() {
        let (record, recorded, fails) = recording(0);
        for _ in 0..2 {
            fail(&record, failure(), 0).await;
        }
        *fails.lock().expect("no other thread panics") = true;
        assert!(record.settle(context(60)).await.is_err());
        fail(&record, failure(), 61).await;
        *fails.lock().expect("no other thread panics") = false;
        let settled = record.settle(context(120)).await;
        settled.expect("the audit log is available");
        assert_eq!(take_events(&recorded), [omitted("3")]);
    }
    /// A process that stops has two seconds to record thousands of counts.
    #[tokio::test]
    async fn many_counts_are_recorded_in_few_calls_and_none_is_lost_if_one_fails() {
        const COUNTS: usize = 1_100;
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let (kept, mut calls) = (Arc::clone(&recorded), 0);
        let mut events = MockAuditEvents::new();
        // Two calls that record, one that fails, and three of the second attempt.
        events.expect_record_all().times(6).returning(move |events, _| {
            calls += 1;
            if calls == 3 {
                return Err(PortError::Overloaded);
            }
            kept.lock().expect("no other thread panics").extend(events);
            Ok(())
        });
        let record = RecordFailedAttempt::new(Arc::new(events), 0);
        for user in 0..COUNTS {
            let event = AuditEvent {
                user: Some(UserId(uuid::Uuid::from_u128(user as u128))),
                ..failure()
            };
            fail(&record, event, 0).await;
        }

        assert!(record.settle(context(60)).await.is_err());
        record
            .settle(context(61))
            .await
            .expect("the audit log is available");

        let events = take_events(&recorded);
        assert_eq!(events.len(), COUNTS);
        assert!(events.iter().all(|event| *event == omitted("1")), "{events:?}");
    }
}
