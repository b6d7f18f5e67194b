//! Periodic tasks of the service.

use crate::{
    audit_size::AuditSize,
    background::{own_context, ticks},
    clock_watch::ClockWatch,
    metrics,
};
use chrono::{NaiveTime, TimeDelta};
use domain::{
    changes::TrimAuditLog,
    ports::{AuditLog, Clock, ClockComparison, PortError, SessionDirectory},
};
use std::{error::Error, sync::Arc, time::Duration};

/// The interval between removals of dead sessions.
const SESSIONS_PERIOD: Duration = Duration::from_mins(10);
/// How long dead sessions are kept: as long as the network of a login stays known to the account.
const DEAD_SESSION_RETENTION: TimeDelta = TimeDelta::days(30);
/// The interval between removals of old events. Each removal records an event in the audit log.
const AUDIT_LOG_PERIOD: Duration = Duration::from_hours(24);
/// Maximum number of rows removed in one transaction, so that requests do not wait for it.
const BATCH: u32 = 500;

/// The periodic tasks, which run concurrently with the server.
pub struct Housekeeping {
    pub sessions: Arc<dyn SessionDirectory>,
    pub audit_log: Arc<dyn AuditLog>,
    pub clock: Arc<dyn Clock>,
    /// Present if the database has a clock of its own.
    pub clock_watch: Option<Arc<ClockWatch>>,
    pub audit_size: AuditSize,
    /// How long events are kept; `None` keeps them forever.
    pub retention: Option<TimeDelta>,
}

impl Housekeeping {
    /// Runs until it is dropped. Dropping it is safe at any time.
    pub async fn run(self) {
        tokio::join!(
            self.remove_dead_sessions(),
            self.trim_audit_log(),
            self.audit_size.run(),
            self.watch_clock()
        );
    }

    async fn remove_dead_sessions(&self) {
        let mut ticks = ticks(SESSIONS_PERIOD);
        loop {
            ticks.tick().await;
            match self.sweep_once().await {
                Ok(0) => {}
                Ok(removed) => {
                    metrics::sessions_removed(removed);
                    tracing::info!(removed, "removed dead sessions");
                }
                Err(error) => tracing::warn!(
                    error = &error as &dyn Error,
                    "dead sessions cannot be removed; retrying later"
                ),
            }
        }
    }

    async fn trim_audit_log(&self) {
        let Some(retention) = self.retention else {
            return;
        };
        let mut ticks = ticks(AUDIT_LOG_PERIOD);
        loop {
            ticks.tick().await;
            match self.trim_once(retention).await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed old events from the audit log"),
                Err(error) => tracing::warn!(
                    error = &error as &dyn Error,
                    "old events cannot be removed; retrying later"
                ),
            }
        }
    }

    async fn sweep_once(&self) -> Result<u64, PortError> {
        if self.is_clock_wrong() {
            return Ok(0);
        }
        sweep(&*self.sessions, &*self.clock).await
    }

    async fn trim_once(&self, retention: TimeDelta) -> Result<u64, PortError> {
        if self.is_clock_wrong() {
            return Ok(0);
        }
        trim(&*self.audit_log, &*self.clock, retention).await
    }

    /// Returns whether this machine's clock differs from the database's. Nothing is removed then: a
    /// clock that is ahead would remove too much.
    fn is_clock_wrong(&self) -> bool {
        let agrees = self.clock_watch.as_ref().and_then(|watch| watch.agrees());
        agrees == Some(false)
    }

    async fn watch_clock(&self) {
        if let Some(watch) = &self.clock_watch {
            watch.run().await;
        }
    }
}

/// Removes all events older than `retention`, and returns their number.
async fn trim(audit_log: &dyn AuditLog, clock: &dyn Clock, retention: TimeDelta) -> Result<u64, PortError> {
    let command = TrimAuditLog {
        before: clock.now() - retention,
        limit: BATCH,
    };
    let mut total = 0;
    loop {
        let removed = audit_log.trim(command, own_context(clock)).await?;
        total += removed;
        if removed < u64::from(BATCH) {
            return Ok(total);
        }
        tokio::task::yield_now().await;
    }
}

/// Removes all sessions that died before the day (UTC) on which the retention period began, and
/// returns their number. Storage has an index of days: for a time within one, it would read all
/// sessions of that day each time.
async fn sweep(sessions: &dyn SessionDirectory, clock: &dyn Clock) -> Result<u64, PortError> {
    let kept_from = clock.now() - DEAD_SESSION_RETENTION;
    let before = kept_from.date_naive().and_time(NaiveTime::MIN).and_utc();
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
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};
    use domain::ports::{DatabaseClock, Storage};
    use domain::{
        audit::{AuditAction, AuditEvent, AuditFilter, read_event},
        changes::{OpenSession, RegisterUser},
        user::Epoch,
    };
    use testkit::{FixedClock, MemoryStorage, fixtures};

    const DAY: i64 = 86_400;

    struct At(DateTime<Utc>);

    #[async_trait]
    impl DatabaseClock for At {
        async fn now(&self) -> Result<DateTime<Utc>, PortError> {
            Ok(self.0)
        }
    }

    /// Housekeeping of `storage` on day 100, by a clock that was compared with a database on `day`.
    async fn compared_with(day: i64, storage: &Storage) -> Housekeeping {
        let clock = Arc::new(FixedClock::new(fixtures::at(100 * DAY)));
        let database = Arc::new(At(fixtures::at(day * DAY)));
        let watch = ClockWatch::new(Arc::clone(&clock) as _, database, TimeDelta::seconds(5));
        watch.compare().await;
        Housekeeping {
            sessions: Arc::clone(&storage.session_directory),
            audit_log: Arc::clone(&storage.audit_log),
            clock,
            clock_watch: Some(Arc::new(watch)),
            audit_size: AuditSize::new(Arc::clone(&storage.audit_log), 1),
            retention: None,
        }
    }

    #[tokio::test]
    async fn nothing_is_removed_by_a_clock_that_differs_from_the_databases() {
        let storage = MemoryStorage::default().storage();
        let user = fixtures::a_user("alice");
        let session = fixtures::a_session(user.id, fixtures::at(0));
        let open = OpenSession {
            session,
            epoch: Epoch::FIRST,
            known: None,
            max_sessions: 1,
        };
        let context = fixtures::context(fixtures::at(0));
        let registered = storage
            .accounts
            .execute(Arc::new(RegisterUser(user)), context.clone());
        registered.await.expect("a user");
        let opened = storage.accounts.execute(Arc::new(open), context).await;
        opened.expect("a session");
        for (day, removed) in [(99, 0), (100, 1)] {
            let housekeeping = compared_with(day, &storage).await;
            let swept = housekeeping.sweep_once().await.expect("storage answers");
            let trimmed = housekeeping.trim_once(TimeDelta::days(30)).await;
            let trimmed = trimmed.expect("storage answers");
            assert_eq!((swept, trimmed), (removed, removed), "day {day}");
        }
    }

    #[tokio::test]
    async fn a_sweep_removes_only_sessions_dead_for_thirty_days() {
        let storage = MemoryStorage::default().storage();
        let user = fixtures::a_user("alice");
        let id = user.id;
        storage
            .accounts
            .execute(Arc::new(RegisterUser(user)), fixtures::context(fixtures::at(0)))
            .await
            .expect("the user is stored");
        // With an idle lifetime of 30 days: dead for 31 days, dead for 29 days, and live.
        for (count, opened_on) in [(1_100, 0), (3, 2), (2, 40)] {
            for _ in 0..count {
                let at = fixtures::at(opened_on * DAY);
                let open = OpenSession {
                    session: fixtures::a_session(id, at),
                    epoch: Epoch::FIRST,
                    known: None,
                    max_sessions: u32::MAX,
                };
                let opened = storage
                    .accounts
                    .execute(Arc::new(open), fixtures::context(at))
                    .await;
                opened.expect("the storage succeeds");
            }
        }

        let now = FixedClock::new(fixtures::at(61 * DAY));
        let removed = sweep(&*storage.session_directory, &now).await;
        assert_eq!(removed.expect("the storage succeeds"), 1_100);
        assert_eq!(
            sweep(&*storage.session_directory, &now)
                .await
                .expect("the storage succeeds"),
            0
        );
        let live = storage
            .session_directory
            .list(id, now.now())
            .await
            .expect("the storage succeeds");
        assert_eq!(live.len(), 2);
    }

    #[tokio::test]
    async fn a_sweep_keeps_the_sessions_that_died_on_the_day_on_which_retention_began() {
        let storage = MemoryStorage::default().storage();
        let user = fixtures::a_user("alice");
        let open = OpenSession {
            session: fixtures::a_session(user.id, fixtures::at(0)),
            epoch: Epoch::FIRST,
            known: None,
            max_sessions: 1,
        };
        let context = fixtures::context(fixtures::at(0));
        let register = Arc::new(RegisterUser(user));
        let registered = storage.accounts.execute(register, context.clone()).await;
        registered.expect("the user is stored");
        let opened = storage.accounts.execute(Arc::new(open), context).await;
        let died = opened
            .map(|_| fixtures::at(30 * DAY))
            .expect("the session is stored");

        let midnight = (died + TimeDelta::days(1))
            .date_naive()
            .and_time(NaiveTime::MIN)
            .and_utc();
        for (now, expected) in [(midnight - TimeDelta::microseconds(1), 0), (midnight, 1)] {
            let now = FixedClock::new(now + DEAD_SESSION_RETENTION);
            let removed = sweep(&*storage.session_directory, &now).await;
            assert_eq!(removed.expect("the storage succeeds"), expected);
        }
    }

    #[tokio::test]
    async fn trimming_removes_events_older_than_the_retention_and_records_it() {
        let storage = MemoryStorage::default().storage();
        for (count, day) in [(1_100, 0), (3, 20)] {
            for _ in 0..count {
                let event = AuditEvent::new(AuditAction::LoginFailed);
                let recorded = storage
                    .audit_events
                    .record(event, fixtures::context(fixtures::at(day * DAY)));
                recorded.await.expect("the storage succeeds");
            }
        }

        let now = FixedClock::new(fixtures::at(31 * DAY));
        let trimmed = trim(&*storage.audit_log, &now, TimeDelta::days(30)).await;
        assert_eq!(trimmed.expect("the storage succeeds"), 1_100);
        let left = storage.audit_log.page(AuditFilter::default(), None, 100).await;
        let actions: Vec<_> = left
            .expect("the storage succeeds")
            .into_iter()
            .map(|row| read_event(row).expect("the event can be read").event.action)
            .collect();
        let mut expected = vec![AuditAction::AuditLogTrimmed; 3];
        expected.extend([AuditAction::LoginFailed; 3]);
        assert_eq!(actions, expected);
        let again = trim(&*storage.audit_log, &now, TimeDelta::days(30)).await;
        assert_eq!(again.expect("the storage succeeds"), 0);
    }
}
