//! Seals pending audit events while the server runs, and looks for missing ones.

use crate::{missing_events::MissingEvents, pending_watch::PendingWatch};
use adapters_crypto::SystemClock;
use adapters_postgres::{Look, PostgresStorage};
use domain::ports::PortError;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

/// The interval in which the events of other replicas are looked for, such as those of one that was
/// killed. Also the pause after a failure.
const PERIOD: Duration = Duration::from_secs(1);
/// When to look again after this process has written an event, whose transaction may have committed
/// only later.
const SOON: Duration = Duration::from_millis(250);
/// How long to collect events after the first one, so that they are sealed together.
const COLLECTING: Duration = Duration::from_millis(20);
/// The pause after a look at all events that failed, probably because it took too long.
const PAUSE: Duration = Duration::from_mins(1);
/// The wait budget for the last events at shutdown.
const LAST_BUDGET: Duration = Duration::from_millis(400);

/// The periodic task, which runs concurrently with the server.
#[derive(Clone)]
pub struct Sealing {
    storage: Arc<PostgresStorage>,
    missing: MissingEvents,
}

/// What one run of the task knows.
struct Rounds {
    watch: PendingWatch,
    /// When to look at all events next.
    all_at: Instant,
}

impl Sealing {
    /// Creates the task without starting it.
    pub fn new(storage: Arc<PostgresStorage>) -> Self {
        PendingWatch::describe();
        Self {
            missing: MissingEvents::new(Arc::clone(&storage), Arc::new(SystemClock)),
            storage,
        }
    }

    /// Runs until it is dropped. Dropping it is safe at any time.
    pub async fn run(&self) {
        let mut rounds = Rounds::new();
        let (mut has_written, mut was_failing) = (false, false);
        loop {
            let wait = if has_written { SOON } else { PERIOD };
            has_written = timeout(wait, self.storage.event_written()).await.is_ok();
            if has_written {
                sleep(COLLECTING).await;
            }
            let sealed = self.round(&mut rounds).await;
            if let Err(error) = &sealed {
                if !was_failing {
                    log_failure(error);
                }
                sleep(PERIOD).await;
            }
            was_failing = sealed.is_err();
        }
    }

    /// Seals the last events at shutdown. Events that are left are sealed by another replica, or by
    /// the next start.
    pub async fn finish(&self) {
        let mut watch = PendingWatch::default();
        let last = self.seal_pending(Look::New, &mut watch);
        if !matches!(timeout(LAST_BUDGET, last).await, Ok(Ok(()))) {
            tracing::debug!("the last audit events were not sealed and stay pending");
        }
    }

    async fn round(&self, rounds: &mut Rounds) -> Result<(), PortError> {
        let look = rounds.next_look(Instant::now());
        let sealed = self.seal_pending(look, &mut rounds.watch).await;
        if look == Look::All {
            // Also after a failure, which the program that removes events may have caused.
            self.missing.report().await;
            if sealed.is_err() {
                rounds.all_at = Instant::now() + PAUSE;
            }
        }
        sealed
    }

    async fn seal_pending(&self, look: Look, watch: &mut PendingWatch) -> Result<(), PortError> {
        loop {
            let oldest = self.storage.oldest_pending(look).await?;
            if oldest.is_some() || look == Look::All {
                watch.observe(oldest);
            }
            if oldest.is_none() || !self.storage.seal_batch(look).await?.may_continue {
                return Ok(());
            }
        }
    }
}

impl Rounds {
    fn new() -> Self {
        Self {
            watch: PendingWatch::default(),
            all_at: Instant::now(),
        }
    }

    /// Returns what to look at now: once in a period at all events.
    fn next_look(&mut self, now: Instant) -> Look {
        if now < self.all_at {
            return Look::New;
        }
        self.all_at = now + PERIOD;
        Look::All
    }
}

fn log_failure(error: &PortError) {
    if let PortError::Corrupt(_) = error {
        tracing::error!(
            error = error as &dyn Error,
            "the audit log has been tampered with: audit events cannot be sealed and stay pending until it is repaired"
        );
    } else {
        tracing::warn!(
            error = error as &dyn Error,
            "audit events cannot be sealed and stay pending; retrying"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_events_are_looked_at_once_in_a_period() {
        let mut rounds = Rounds::new();
        let start = rounds.all_at;
        let looks: Vec<_> = (0..9).map(|turn| rounds.next_look(start + turn * SOON)).collect();
        let (all, new) = (Look::All, Look::New);
        assert_eq!(looks, [all, new, new, new, all, new, new, new, all]);
    }
}
