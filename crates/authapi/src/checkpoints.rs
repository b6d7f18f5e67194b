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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::TokensSettings;
    use async_trait::async_trait;
    use domain::{
        audit::{AuditAction, AuditEvent},
        core::Administration,
        ports::{PortError, Replicas},
        replica::{ReplicaSettings, RunningReplica},
    };
    use testkit::{Fakes, fixtures};
    use uuid::Uuid;

    /// Another replica runs, with this audit key.
    struct Other(Option<String>);

    #[async_trait]
    impl Replicas for Other {
        async fn store(&self, _: &RunningReplica, _: Duration) -> Result<(), PortError> {
            Ok(())
        }

        async fn others(&self, _: Uuid) -> Result<Vec<ReplicaSettings>, PortError> {
            Ok(vec![settings(self.0.clone())])
        }

        async fn remove(&self, _: Uuid) -> Result<(), PortError> {
            Ok(())
        }
    }

    fn settings(audit_key: Option<String>) -> ReplicaSettings {
        let defaults = TokensSettings::default();
        let lifetimes = domain::replica::TokenLifetimes {
            access: 1,
            refresh_idle: 1,
            refresh: 1,
            refresh_grace: 1,
            step_up: None,
        };
        ReplicaSettings {
            issuer: defaults.issuer,
            audience: defaults.audience,
            client_id: defaults.client_id,
            signing_key: "one".to_owned(),
            accepted_keys: ["one".to_owned()].into(),
            refresh_key: "fingerprint".to_owned(),
            audit_key,
            lifetimes,
        }
    }

    /// Returns whether the first checkpoint of a log with one event is signed, next to `other`.
    async fn is_signed(other: Option<Other>) -> bool {
        let fakes = Fakes::default();
        let event = AuditEvent::new(AuditAction::LoginFailed);
        let storage = fakes.storage.storage();
        let recorded = storage
            .audit_events
            .record(event, fixtures::context(fixtures::at(0)));
        recorded.await.expect("the storage succeeds");
        let administration = Administration::new(fakes.administration_ports(), Fakes::administration_rules());
        let replica_entry = other.map(|other| {
            let replica = RunningReplica {
                id: Uuid::nil(),
                settings: settings(Some("key".to_owned())),
            };
            ReplicaEntry::new(Arc::new(other), replica)
        });
        let checkpoints = Checkpoints {
            sign: administration.sign_checkpoint,
            replica_entry,
        };
        let signed = checkpoints.sign_once().await.expect("the log is intact");
        let stored = storage
            .audit_checkpoints
            .list()
            .await
            .expect("the storage succeeds");
        assert_eq!(matches!(signed, Signing::Signed(_)), stored.len() == 1);
        stored.len() == 1
    }

    #[tokio::test]
    async fn the_first_checkpoint_waits_for_replicas_that_write_no_macs() {
        assert!(is_signed(None).await);
        assert!(is_signed(Some(Other(Some("key".to_owned())))).await);
        assert!(!is_signed(Some(Other(None))).await);
    }
}
