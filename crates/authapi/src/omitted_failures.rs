//! Records the failed attempts that were only counted.

use crate::background::{own_context, ticks};
use domain::{
    ports::{Clock, PortError},
    steps::RecordFailedAttempt,
};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::{
    select,
    sync::oneshot,
    task::{JoinHandle, spawn},
    time::timeout,
};

/// The interval between records of the counts.
const PERIOD: Duration = Duration::from_mins(1);
/// The wait budget for the last counts, which a stopping process records.
const LAST_COUNTS_TIMEOUT: Duration = Duration::from_secs(2);

/// The counts of failed attempts that are not recorded individually.
pub struct OmittedFailures {
    record_failed_attempt: Arc<RecordFailedAttempt>,
    clock: Arc<dyn Clock>,
}

/// The task that records the counts.
pub struct RecordingFailures {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), PortError>>,
}

impl OmittedFailures {
    /// Creates the counts of `record_failed_attempt`, which are recorded at the times of `clock`.
    pub fn new(record_failed_attempt: Arc<RecordFailedAttempt>, clock: Arc<dyn Clock>) -> Self {
        Self {
            record_failed_attempt,
            clock,
        }
    }

    /// Records the counts once a minute, in a task of its own.
    pub fn begin(self) -> RecordingFailures {
        let (stop, stopped) = oneshot::channel();
        RecordingFailures {
            stop,
            task: spawn(self.run(stopped)),
        }
    }

    /// Returns after the last record. A record that has begun is completed before: it holds counts
    /// that would be lost otherwise.
    async fn run(self, mut stopped: oneshot::Receiver<()>) -> Result<(), PortError> {
        let mut ticks = ticks(PERIOD);
        loop {
            select! {
                _ = &mut stopped => return self.record().await,
                _ = ticks.tick() => {}
            }
            if let Err(error) = self.record().await {
                tracing::warn!(
                    error = &error as &dyn Error,
                    "counts of failed attempts cannot be recorded; retrying later"
                );
            }
        }
    }

    async fn record(&self) -> Result<(), PortError> {
        self.record_failed_attempt.settle(own_context(&*self.clock)).await
    }
}

impl RecordingFailures {
    /// Records the last counts, when the process stops.
    pub async fn finish(self) {
        drop(self.stop);
        let lost = match timeout(LAST_COUNTS_TIMEOUT, self.task).await {
            Ok(Ok(Ok(()))) => return,
            Ok(Ok(Err(error))) => error,
            Ok(Err(panicked)) => PortError::Unavailable(panicked.into()),
            Err(late) => PortError::Unavailable(late.into()),
        };
        tracing::warn!(
            error = &lost as &dyn Error,
            "counts of failed attempts were not recorded and are lost"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use domain::{
        audit::{AuditAction, AuditContext, AuditEvent},
        ports::AuditEvents,
    };
    use std::sync::Mutex;
    use testkit::{FixedClock, fixtures};
    use tokio::time::sleep;

    /// An audit log that takes 800 ms for each call.
    #[derive(Default)]
    struct SlowEvents(Mutex<Vec<AuditEvent>>);

    #[async_trait]
    impl AuditEvents for SlowEvents {
        async fn record_all(&self, events: Vec<AuditEvent>, _: AuditContext) -> Result<(), PortError> {
            sleep(Duration::from_millis(800)).await;
            self.0.lock().expect("no other thread panics").extend(events);
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_during_a_record_neither_loses_nor_repeats_counts() {
        let events = Arc::new(SlowEvents::default());
        let record_failed_attempt = Arc::new(RecordFailedAttempt::new(Arc::clone(&events) as _, 0));
        let fail = async || {
            let failed = AuditEvent::new(AuditAction::LoginFailed);
            let counted = record_failed_attempt.execute(failed, fixtures::context(fixtures::at(0)));
            counted.await.expect("it is only counted");
        };
        let clock = Arc::new(FixedClock::new(fixtures::at(60)));
        let recording = OmittedFailures::new(Arc::clone(&record_failed_attempt), clock).begin();
        fail().await;
        fail().await;
        // The first record has begun.
        sleep(Duration::from_millis(1)).await;
        fail().await;

        recording.finish().await;

        let recorded = events.0.lock().expect("no other thread panics");
        let counts: Vec<_> = recorded.iter().map(|event| &*event.details["count"]).collect();
        assert_eq!(counts, ["2", "1"]);
    }
}
