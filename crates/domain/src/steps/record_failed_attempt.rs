use crate::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, Origin},
    ports::{AuditEvents, PortError},
};
use chrono::{DateTime, Duration, Utc};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Keeps failed attempts in the audit trail, but no more than so many a minute: a flood of them must not fill the disk. What
/// is too much is counted, and the count is kept.
pub struct RecordFailedAttempt {
    events: Arc<dyn AuditEvents>,
    per_minute: u32,
    minute: Mutex<Minute>,
}

/// The minute that failures are counted in.
struct Minute {
    began: DateTime<Utc>,
    kept: u32,
    omitted: u64,
}

/// What is to be done with a failure.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    keep: bool,
    /// How many failures of the minutes before were not kept.
    omitted_before: u64,
}

impl RecordFailedAttempt {
    /// Keeps at most `per_minute` failures a minute, in this process.
    pub fn new(events: Arc<dyn AuditEvents>, per_minute: u32) -> Self {
        Self {
            events,
            per_minute,
            minute: Mutex::new(Minute {
                began: DateTime::UNIX_EPOCH,
                kept: 0,
                omitted: 0,
            }),
        }
    }

    /// # Errors
    /// The trail's, when the failure was to be kept and could not.
    pub async fn execute(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let verdict = self.judge(context.at);
        self.tell_omitted(verdict.omitted_before, &context).await?;
        if verdict.keep {
            self.events.record(event, context).await?;
        }
        Ok(())
    }

    /// Keeps the count of what was omitted in a minute that is over, when no failure has come since to do so.
    ///
    /// # Errors
    /// The trail's.
    pub async fn settle(&self, context: AuditContext) -> Result<(), PortError> {
        let omitted = self.current().roll(context.at);
        self.tell_omitted(omitted, &context).await
    }

    async fn tell_omitted(&self, count: u64, context: &AuditContext) -> Result<(), PortError> {
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

    fn judge(&self, now: DateTime<Utc>) -> Verdict {
        let mut minute = self.current();
        let omitted_before = minute.roll(now);
        let keep = minute.kept < self.per_minute;
        if keep {
            minute.kept += 1;
        } else {
            minute.omitted += 1;
        }
        Verdict { keep, omitted_before }
    }

    fn current(&self) -> MutexGuard<'_, Minute> {
        // Counters are whole at every instant, so a panic elsewhere has not spoilt them.
        self.minute.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Minute {
    /// Begins anew when a minute has passed, or the clock was set back; how many failures had been omitted then.
    fn roll(&mut self, now: DateTime<Utc>) -> u64 {
        if now >= self.began && now < self.began + Duration::minutes(1) {
            return 0;
        }
        let omitted = self.omitted;
        *self = Self {
            began: now,
            kept: 0,
            omitted: 0,
        };
        omitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::MockAuditEvents,
        use_cases::fixtures::{now, origin},
    };

    fn context(second: i64) -> AuditContext {
        AuditContext {
            at: now() + Duration::seconds(second),
            actor: Actor::Anonymous,
            origin: origin(),
        }
    }

    fn failure() -> AuditEvent {
        AuditEvent::new(AuditAction::LoginFailed)
    }

    /// The step over an audit log that keeps what it is given.
    fn noting(per_minute: u32) -> (RecordFailedAttempt, Arc<Mutex<Vec<AuditEvent>>>) {
        let noted = Arc::new(Mutex::new(Vec::new()));
        let mut events = MockAuditEvents::new();
        let kept = Arc::clone(&noted);
        events.expect_record().returning(move |event, _| {
            kept.lock().expect("no panic before").push(event);
            Ok(())
        });
        (RecordFailedAttempt::new(Arc::new(events), per_minute), noted)
    }

    fn taken(noted: &Mutex<Vec<AuditEvent>>) -> Vec<(AuditAction, Option<String>)> {
        std::mem::take(&mut *noted.lock().expect("no panic before"))
            .into_iter()
            .map(|event| (event.action, event.details.get("count").cloned()))
            .collect()
    }

    #[tokio::test]
    async fn a_flood_is_recorded_in_part_and_counted_for_the_rest() {
        let (note, noted) = noting(2);
        for _ in 0..5 {
            note.execute(failure(), context(0)).await.expect("noted");
        }
        assert_eq!(
            taken(&noted),
            [(AuditAction::LoginFailed, None), (AuditAction::LoginFailed, None)]
        );
        note.execute(failure(), context(60)).await.expect("noted");
        let told = (AuditAction::FailuresOmitted, Some("3".to_owned()));
        assert_eq!(taken(&noted), [told, (AuditAction::LoginFailed, None)]);
    }

    #[tokio::test]
    async fn what_was_omitted_is_recorded_even_after_the_flood() {
        let (note, noted) = noting(0);
        note.execute(failure(), context(0)).await.expect("noted");
        note.settle(context(59)).await.expect("noted");
        assert_eq!(taken(&noted), []);
        note.settle(context(60)).await.expect("noted");
        note.settle(context(120)).await.expect("noted");
        assert_eq!(
            taken(&noted),
            [(AuditAction::FailuresOmitted, Some("1".to_owned()))]
        );
    }

    #[tokio::test]
    async fn a_clock_that_is_set_back_does_not_stop_the_recording() {
        let (note, noted) = noting(1);
        note.execute(failure(), context(1000)).await.expect("noted");
        note.execute(failure(), context(0)).await.expect("noted");
        assert_eq!(taken(&noted).len(), 2);
    }
}
