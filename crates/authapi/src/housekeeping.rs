//! What the service does besides answering requests.

use crate::metrics;
use chrono::TimeDelta;
use domain::{
    audit::{Actor, AuditContext, Origin},
    ports::{AuditLog, Clock, PortError, Sessions},
    use_cases::RecordFailedAttempt,
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often dead sessions are looked for.
const SESSIONS_PERIOD: Duration = Duration::from_mins(10);
/// How long a session has been dead before it goes: longer than any token of it lives, and time to look into a theft.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// How often old events are looked for. Each time that there were any, the trail gets an event about it.
const TRAIL_PERIOD: Duration = Duration::from_hours(24);
/// How often the count of failures is looked at that were not kept.
const FAILURES_PERIOD: Duration = Duration::from_mins(1);
/// Small enough that nobody waits for the database because of it.
const BATCH: u32 = 500;

/// All of it, to be run beside the server.
pub struct Housekeeping {
    pub sessions: Arc<dyn Sessions>,
    pub trail: Arc<dyn AuditLog>,
    pub record_failed_attempt: Arc<RecordFailedAttempt>,
    pub clock: Arc<dyn Clock>,
    /// How long events are kept; for ever without it.
    pub retention: Option<TimeDelta>,
}

impl Housekeeping {
    /// Runs for ever; drop it between two batches at any time.
    pub async fn run(self) {
        tokio::join!(
            self.remove_dead_sessions(),
            self.trim_trail(),
            self.settle_failures()
        );
    }

    async fn remove_dead_sessions(&self) {
        let mut ticks = ticks(SESSIONS_PERIOD);
        loop {
            ticks.tick().await;
            match sweep(&*self.sessions, &*self.clock).await {
                Ok(0) => {}
                Ok(removed) => {
                    metrics::sessions_removed(removed);
                    tracing::info!(removed, "removed dead sessions");
                }
                Err(error) => tracing::warn!(error = &error as &dyn Error, "dead sessions stay for now"),
            }
        }
    }

    async fn trim_trail(&self) {
        let Some(retention) = self.retention else {
            return;
        };
        let mut ticks = ticks(TRAIL_PERIOD);
        loop {
            ticks.tick().await;
            match trim(&*self.trail, &*self.clock, retention).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed old events from the audit trail"),
                Err(error) => tracing::warn!(error = &error as &dyn Error, "old events stay for now"),
            }
        }
    }

    async fn settle_failures(&self) {
        let mut ticks = ticks(FAILURES_PERIOD);
        loop {
            ticks.tick().await;
            if let Err(error) = self.record_failed_attempt.settle(own_stamp(&*self.clock)).await {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "failed attempts were counted, and the count is lost"
                );
            }
        }
    }
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What the service does by itself, it does for whoever runs it.
fn own_stamp(clock: &dyn Clock) -> AuditContext {
    AuditContext {
        at: clock.now(),
        actor: Actor::Operator,
        origin: Origin::default(),
    }
}

/// Removes all events that are older than `retention`; how many there were.
async fn trim(trail: &dyn AuditLog, clock: &dyn Clock, retention: TimeDelta) -> Result<u64, PortError> {
    let before = clock.now() - retention;
    let mut total = 0;
    loop {
        let removed = trail.trim(before, BATCH, own_stamp(clock)).await?;
        total += removed;
        if removed < u64::from(BATCH) {
            return Ok(total);
        }
        tokio::task::yield_now().await;
    }
}

/// Removes all sessions that have been dead for long enough; how many there were.
async fn sweep(sessions: &dyn Sessions, clock: &dyn Clock) -> Result<u64, PortError> {
    let before = clock.now() - KEPT_FOR;
    let mut total = 0;
    loop {
        let removed = sessions.remove_dead(before, BATCH).await?;
        total += removed;
        if removed < u64::from(BATCH) {
            return Ok(total);
        }
        tokio::task::yield_now().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{
        audit::{AuditAction, AuditEvent, AuditFilter},
        ports::Opened,
        user::Epoch,
    };
    use testkit::{FixedClock, MemoryStorage, fixtures};

    #[tokio::test]
    async fn a_sweep_removes_what_has_been_dead_for_a_week_and_nothing_else() {
        const DAY: i64 = 86_400;
        let storage = MemoryStorage::default().storage();
        let user = fixtures::a_user("alice");
        let id = user.id;
        storage
            .users
            .insert(user, fixtures::context(fixtures::at(0)))
            .await
            .expect("a user");
        // Of an idle life of 30 days: dead for eight days, for six days, and alive.
        for (count, opened_on) in [(1_100, 0), (3, 2), (2, 20)] {
            for _ in 0..count {
                let at = fixtures::at(opened_on * DAY);
                let session = fixtures::a_session(id, at);
                let opened = storage
                    .sessions
                    .open(session, Epoch::FIRST, u32::MAX, fixtures::context(at))
                    .await;
                assert_eq!(opened.expect("storage answers"), Opened::Now);
            }
        }

        let now = FixedClock::new(fixtures::at(38 * DAY));
        let removed = sweep(&*storage.sessions, &now).await;
        assert_eq!(removed.expect("storage answers"), 1_100);
        assert_eq!(sweep(&*storage.sessions, &now).await.expect("storage answers"), 0);
        let live = storage
            .sessions
            .list(id, now.now())
            .await
            .expect("storage answers");
        assert_eq!(live.len(), 2);
    }

    #[tokio::test]
    async fn trimming_removes_what_is_older_than_the_retention_and_says_so() {
        const DAY: i64 = 86_400;
        let storage = MemoryStorage::default().storage();
        for (count, day) in [(1_100, 0), (3, 20)] {
            for _ in 0..count {
                let event = AuditEvent::new(AuditAction::LoginFailed);
                let noted = storage
                    .audit
                    .note(event, fixtures::context(fixtures::at(day * DAY)));
                noted.await.expect("storage answers");
            }
        }

        let now = FixedClock::new(fixtures::at(31 * DAY));
        let trimmed = trim(&*storage.audit, &now, TimeDelta::days(30)).await;
        assert_eq!(trimmed.expect("storage answers"), 1_100);
        let left = storage.audit.page(AuditFilter::default(), None, 100).await;
        let actions: Vec<_> = left
            .expect("storage answers")
            .iter()
            .map(|record| record.event.action)
            .collect();
        let mut expected = vec![AuditAction::AuditLogTrimmed; 3];
        expected.extend([AuditAction::LoginFailed; 3]);
        assert_eq!(actions, expected);
        let again = trim(&*storage.audit, &now, TimeDelta::days(30)).await;
        assert_eq!(again.expect("storage answers"), 0);
    }
}
