//! Seals pending audit events while the server runs.

use adapters_postgres::{PostgresStorage, SealedEvents};
use domain::ports::PortError;
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};

/// The longest time after which pending events are sealed, such as those of a replica that was
/// killed.
const PERIOD: Duration = Duration::from_millis(250);
/// How long to collect events after the first one, so that they are sealed together.
const COLLECTING: Duration = Duration::from_millis(20);
/// The wait budget for the last events at shutdown.
const LAST_BUDGET: Duration = Duration::from_millis(400);

/// The periodic task, which runs concurrently with the server.
#[derive(Clone)]
pub struct Sealing {
    storage: Arc<PostgresStorage>,
}

impl Sealing {
    /// Creates the task without starting it.
    pub fn new(storage: Arc<PostgresStorage>) -> Self {
        Self { storage }
    }

    /// Runs until it is dropped. Dropping it is safe at any time.
    pub async fn run(&self) {
        let mut was_failing = false;
        loop {
            if timeout(PERIOD, self.storage.event_written()).await.is_ok() {
                sleep(COLLECTING).await;
            }
            let sealed = self.seal_batches().await;
            if let (Err(error), false) = (&sealed, was_failing) {
                tracing::warn!(
                    error = error as &dyn Error,
                    "audit events cannot be sealed and stay pending; retrying"
                );
            }
            was_failing = sealed.is_err();
        }
    }

    /// Seals the last events at shutdown. Events that are left are sealed by another replica, or by
    /// the next start.
    pub async fn finish(&self) {
        if !matches!(timeout(LAST_BUDGET, self.seal_batches()).await, Ok(Ok(()))) {
            tracing::debug!("the last audit events were not sealed and stay pending");
        }
    }

    async fn seal_batches(&self) -> Result<(), PortError> {
        loop {
            let SealedEvents { forged, may_continue } = self.storage.seal().await?;
            for number in forged {
                tracing::error!(
                    event = number.0,
                    "an audit event was forged, or edited before it was sealed; run `authapi audit verify`"
                );
            }
            if !may_continue {
                return Ok(());
            }
        }
    }
}
