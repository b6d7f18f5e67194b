use crate::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin},
    ports::{AuditEvents, PortError},
};
use chrono::{DateTime, Duration, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Records failed attempts in the audit log, up to a limit per minute, so that a flood of them does
/// not fill the disk. Attempts beyond the limit are counted, and the count is recorded.
pub struct RecordFailedAttempt {
    events: Arc<dyn AuditEvents>,
    per_minute: u32,
    minute: Mutex<Minute>,
}

/// The minute in which failures are counted.
struct Minute {
    began: DateTime<Utc>,
    recorded: u32,
    omitted: u64,
}

/// What to record for a failure.
#[derive(Debug, PartialEq, Eq)]
struct Decision {
    record: bool,
    /// The number of failures in earlier minutes that were not recorded.
    omitted_before: u64,
}

impl RecordFailedAttempt {
    /// Creates a step that records at most `per_minute` failures a minute in this process.
    pub fn new(events: Arc<dyn AuditEvents>, per_minute: u32) -> Self {
        Self {
            events,
            per_minute,
            minute: Mutex::new(Minute {
                began: DateTime::UNIX_EPOCH,
                recorded: 0,
                omitted: 0,
            }),
        }
    }

    /// Records a failed attempt, or counts it if the limit of this minute is reached.
    ///
    /// # Errors
    /// Returns an error of the audit log if the attempt could not be recorded.
    pub async fn execute(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let decision = self.count(context.at);
        self.record_omitted(decision.omitted_before, &context).await?;
        if decision.record {
            self.events.record(event, context).await?;
        }
        Ok(())
    }

    /// Records the number of failures omitted in a past minute, unless a later failure has recorded
    /// it.
    ///
    /// # Errors
    /// Returns an error of the audit log.
    pub async fn settle(&self, context: AuditContext) -> Result<(), PortError> {
        let omitted = self.current().roll(context.at);
        self.record_omitted(omitted, &context).await
    }

    async fn record_omitted(&self, count: u64, context: &AuditContext) -> Result<(), PortError> {
        if count == 0 {
            return Ok(());
        }
        let event = AuditEvent::new(AuditAction::FailuresOmitted).with("count", count);
        let context = AuditContext {
            origin: Origin::default(),
            actor: Actor::Anonymous,
            ..context.clone()
        };
        self.events.record(event, context).await
    }

    fn count(&self, now: DateTime<Utc>) -> Decision {
        let mut minute = self.current();
        let omitted_before = minute.roll(now);
        let record = minute.recorded < self.per_minute;
        if record {
            minute.recorded += 1;
        } else {
            minute.omitted += 1;
        }
        Decision {
            record,
            omitted_before,
        }
    }

    fn current(&self) -> MutexGuard<'_, Minute> {
        // No method panics between two updates of the counters, so they are valid after a panic.
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Starts a new minute if one has passed or the clock was set back. Returns the number of
    /// failures omitted until then.
    fn roll(&mut self, now: DateTime<Utc>) -> u64 {
        if now >= self.began && now < self.began + Duration::minutes(1) {
            return 0;
        }
        let omitted = self.omitted;
        *self = Self {
            began: now,
            recorded: 0,
            omitted: 0,
        };
        omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{now, origin},
        ports::MockAuditEvents,
    };

    fn context(second: i64) -> AuditContext {
        AuditContext::new(now() + Duration::seconds(second), Actor::Anonymous, origin())
    }

    fn failure() -> AuditEvent {
        AuditEvent::new(AuditAction::LoginFailed)
    }

    /// Creates the step with an audit log that keeps the recorded events.
    fn recording(per_minute: u32) -> (RecordFailedAttempt, Arc<Mutex<Vec<AuditEvent>>>) {
        let recorded = Arc::new(Mutex::new(Vec::new()));
        let mut events = MockAuditEvents::new();
        let kept = Arc::clone(&recorded);
        events.expect_record().returning(move |event, _| {
            kept.lock().expect("no other thread panics").push(event);
            Ok(())
        });
        (RecordFailedAttempt::new(Arc::new(events), per_minute), recorded)
    }

    fn take_events(recorded: &Mutex<Vec<AuditEvent>>) -> Vec<(AuditAction, Option<String>)> {
        std::mem::take(&mut *recorded.lock().expect("no other thread panics"))
            .into_iter()
            .map(|event| (event.action, event.details.get("count").cloned()))
            .collect()
    }

    #[tokio::test]
    async fn failures_beyond_the_limit_are_counted() {
        let (record, recorded) = recording(2);
        for _ in 0..5 {
            record
                .execute(failure(), context(0))
                .await
                .expect("the audit log is available");
        }
        assert_eq!(
            take_events(&recorded),
            [(AuditAction::LoginFailed, None), (AuditAction::LoginFailed, None)]
        );
        record
            .execute(failure(), context(60))
            .await
            .expect("the audit log is available");
        let omitted = (AuditAction::FailuresOmitted, Some("3".to_owned()));
        assert_eq!(
            take_events(&recorded),
            [omitted, (AuditAction::LoginFailed, None)]
        );
    }

    #[tokio::test]
    async fn the_number_of_omitted_failures_is_recorded_after_the_flood() {
        let (record, recorded) = recording(0);
        record
            .execute(failure(), context(0))
            .await
            .expect("the audit log is available");
        record
            .settle(context(59))
            .await
            .expect("the audit log is available");
        assert_eq!(take_events(&recorded), []);
        record
            .settle(context(60))
            .await
            .expect("the audit log is available");
        record
            .settle(context(120))
            .await
            .expect("the audit log is available");
        assert_eq!(
            take_events(&recorded),
            [(AuditAction::FailuresOmitted, Some("1".to_owned()))]
        );
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_stop_the_recording() {
        let (record, recorded) = recording(1);
        record
            .execute(failure(), context(1000))
            .await
            .expect("the audit log is available");
        record
            .execute(failure(), context(0))
            .await
            .expect("the audit log is available");
        assert_eq!(take_events(&recorded).len(), 2);
    }
}
