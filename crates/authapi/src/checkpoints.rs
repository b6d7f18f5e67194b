//! Signs checkpoints of the audit log while the server runs.

use crate::replica_entry::ReplicaEntry;
use domain::use_cases::{NewCheckpoint, SignCheckpoint, SignCheckpointError, Signing};
use std::{error::Error, sync::Arc, time::Duration};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// The interval between checkpoints while events are written.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_mins(1);

/// The periodic task, which runs concurrently with the server.
pub struct Checkpoints {
    pub sign: Arc<SignCheckpoint>,
    /// Present if the database may have several servers.
    pub replica_entry: Option<ReplicaEntry>,
}

impl Checkpoints {
    /// Runs until it is dropped. Dropping it is safe at any time.
    pub async fn run(self) {
        let mut ticks = interval(PERIOD);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut was_kept = true;
        loop {
            ticks.tick().await;
            match self.sign_once().await {
                Ok(Signing::Signed(new)) => was_kept = log(&new, was_kept),
                Ok(Signing::Unchanged | Signing::NotBegun) => {}
                Err(error) => {
                    log_failure(&error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    async fn sign_once(&self) -> Result<Signing, SignCheckpointError> {
        match self.sign.execute(false).await? {
            Signing::NotBegun if self.may_begin().await? => self.sign.execute(true).await,
            other => Ok(other),
        }
    }

    /// Returns whether the first checkpoint may be signed: replicas of the previous version still
    /// write events without a MAC, and no checkpoint would cover them.
    async fn may_begin(&self) -> Result<bool, SignCheckpointError> {
        match &self.replica_entry {
            Some(entry) => Ok(entry.all_have_audit_keys().await?),
            None => Ok(true),
        }
    }
}

/// Logs a checkpoint, so that a copy of the log is a witness, and returns whether it was kept. Logs
/// once that the key folder cannot be written.
fn log(new: &NewCheckpoint, was_kept: bool) -> bool {
    tracing::info!(
        checkpoint = new.checkpoint.note(),
        "signed the end of the audit log"
    );
    let Some(error) = &new.not_kept else {
        return true;
    };
    if was_kept {
        tracing::warn!(
            error = error as &dyn Error,
            "checkpoints are not kept in the key folder, so an older copy of the database is not recognised at start"
        );
    }
    false
}

fn log_failure(error: &SignCheckpointError) {
    match error {
        SignCheckpointError::Broken(broken) => tracing::error!(
            error = broken as &dyn Error,
            "the audit log has been tampered with, and its end is not signed; run `authapi audit verify`"
        ),
        SignCheckpointError::Port(error) => tracing::warn!(
            error = error as &dyn Error,
            "the end of the audit log was not signed; retrying later"
        ),
    }
}
