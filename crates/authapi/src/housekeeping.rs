//! What the service does besides answering requests.

use crate::metrics;
use chrono::TimeDelta;
use domain::ports::{Clock, PortError, Sessions};
use std::{sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval};

/// How often dead sessions are looked for.
const PERIOD: Duration = Duration::from_mins(10);
/// How long a session has been dead before it goes: longer than any token of it lives, and time to look into a theft.
const KEPT_FOR: TimeDelta = TimeDelta::days(7);
/// Small enough that nobody waits for the database because of it.
const BATCH: u32 = 500;

/// Removes dead sessions every ten minutes, for ever; drop it between two batches at any time.
pub async fn remove_dead_sessions(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>) {
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        match sweep(&*sessions, &*clock).await {
            Ok(0) => {}
            Ok(removed) => {
                metrics::sessions_removed(removed);
                tracing::info!(removed, "removed dead sessions");
            }
            Err(error) => tracing::warn!(
                error = &error as &dyn std::error::Error,
                "dead sessions stay for now"
            ),
        }
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
    use domain::{ports::Opened, user::Epoch};
    use testkit::{FixedClock, MemoryStorage, fixtures};

    #[tokio::test]
    async fn a_sweep_removes_what_has_been_dead_for_a_week_and_nothing_else() {
        const DAY: i64 = 86_400;
        let storage = MemoryStorage::default().storage();
        let user = fixtures::a_user("alice");
        let id = user.id;
        storage
            .users
            .insert(user, fixtures::stamp(fixtures::at(0)))
            .await
            .expect("a user");
        // Of an idle life of 30 days: dead for eight days, for six days, and alive.
        for (count, opened_on) in [(1_100, 0), (3, 2), (2, 20)] {
            for _ in 0..count {
                let at = fixtures::at(opened_on * DAY);
                let session = fixtures::a_session(id, at);
                let opened = storage
                    .sessions
                    .open(session, Epoch::FIRST, u32::MAX, fixtures::stamp(at))
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
}
