//! Signs checkpoints of the audit log while the server runs.

use crate::{background::ticks, replica_entry::ReplicaEntry};
use domain::{
    audit::AuditNumber,
    use_cases::{FirstCheckpoint, NewCheckpoint, SignCheckpoint, SignCheckpointError, Signing},
};
use std::{
    error::Error,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, timeout};

/// The interval between checkpoints while events are written.
const PERIOD: Duration = Duration::from_secs(1);
/// The pause after a failure.
const PAUSE: Duration = Duration::from_mins(1);
/// How often a checkpoint is logged at the level of the default settings. The others are logged in
/// more detail.
const LOG_EVERY: Duration = Duration::from_mins(1);
/// The wait budget for the last checkpoint at shutdown.
const LAST_BUDGET: Duration = Duration::from_millis(200);

/// The periodic task, which runs concurrently with the server.
pub struct Checkpoints {
    sign: Arc<SignCheckpoint>,
    replica_entry: ReplicaEntry,
    /// The last event that may lack a MAC if the log has no checkpoint.
    vouched: AuditNumber,
    logged: Mutex<Logged>,
}

/// What was logged.
struct Logged {
    /// When a checkpoint was last logged at the level of the default settings.
    last: Option<Instant>,
    /// Whether the last checkpoint was kept in the key folder.
    was_kept: bool,
}

impl Checkpoints {
    /// Creates the task without starting it. If the log has no checkpoint, the first one vouches
    /// for events without a MAC up to `vouched`.
    pub fn new(sign: Arc<SignCheckpoint>, replica_entry: ReplicaEntry, vouched: AuditNumber) -> Self {
        let logged = Logged {
            last: None,
            was_kept: true,
        };
        Self {
            sign,
            replica_entry,
            vouched,
            logged: Mutex::new(logged),
        }
    }

    /// Runs until it is dropped. Dropping it is safe at any time.
    pub async fn run(&self) {
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            match self.sign_once().await {
                Ok(Signing::Signed(new)) => self.log(&new, false),
                Ok(Signing::Adopted(new)) => self.log_unless_kept(&new),
                Ok(Signing::Unchanged | Signing::NotBegun) => {}
                Ok(Signing::NeedsAcceptance(number)) => {
                    log_unvouched(number);
                    sleep(PAUSE).await;
                }
                Err(error) => {
                    log_failure(&error);
                    sleep(PAUSE).await;
                }
            }
        }
    }

    /// Signs the last events at shutdown. Events that are left are signed by another replica, or by
    /// the next start.
    pub async fn finish(&self) {
        match timeout(LAST_BUDGET, self.sign_the_last()).await {
            Ok(Ok(Signing::Signed(new))) => self.log(&new, true),
            Ok(Ok(_)) => {}
            Ok(Err(_)) | Err(_) => tracing::debug!("the last audit events were not signed"),
        }
    }

    /// Signs what the newest checkpoint of another replica does not cover.
    async fn sign_the_last(&self) -> Result<Signing, SignCheckpointError> {
        loop {
            match self.sign_once().await? {
                Signing::Adopted(new) => self.log_unless_kept(&new),
                other => return Ok(other),
            }
        }
    }

    async fn sign_once(&self) -> Result<Signing, SignCheckpointError> {
        match self.sign.execute(FirstCheckpoint::NotYet).await? {
            Signing::NotBegun if self.may_begin().await? => {
                self.sign
                    .execute(FirstCheckpoint::VouchesUpTo(self.vouched))
                    .await
            }
            other => Ok(other),
        }
    }

    /// Returns whether the first checkpoint may be signed: replicas of the previous version still
    /// write events without a MAC, and no checkpoint would cover them.
    async fn may_begin(&self) -> Result<bool, SignCheckpointError> {
        Ok(self.replica_entry.all_have_audit_keys().await?)
    }

    /// Logs a checkpoint, so that a copy of the log is a witness.
    fn log(&self, new: &NewCheckpoint, is_last: bool) {
        let checkpoint = new.checkpoint.note();
        if is_last || self.is_due() {
            tracing::info!(checkpoint, "signed the end of the audit log");
        } else {
            tracing::debug!(checkpoint, "signed the end of the audit log");
        }
        self.log_unless_kept(new);
    }

    /// Returns whether the next checkpoint is logged at the level of the default settings.
    fn is_due(&self) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_due = logged.last.is_none_or(|last| now - last >= LOG_EVERY);
        if is_due {
            logged.last = Some(now);
        }
        is_due
    }

    /// Logs once that the key folder cannot be written.
    fn log_unless_kept(&self, new: &NewCheckpoint) {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(error), true) = (&new.not_kept, logged.was_kept) {
            tracing::warn!(
                error = error as &dyn Error,
                "checkpoints are not kept in the key folder, so an older copy of the database is not recognised at start"
            );
        }
        logged.was_kept = new.not_kept.is_none();
    }
}

fn log_unvouched(number: AuditNumber) {
    tracing::warn!(
        event = number.0,
        "the end of the audit log is not signed: an event has no MAC, and there is no checkpoint yet; after an upgrade \
         from a version before MACs, run `authapi audit verify` and `authapi audit accept` once"
    );
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
        audit::{AuditAction, AuditEvent, ChainEnd},
        core::Administration,
        ports::{PortError, Replicas},
        replica::{ReplicaSettings, RunningReplica},
    };
    use std::collections::{BTreeMap, BTreeSet};
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
            loaded_keys: BTreeMap::new(),
            refresh_key: "fingerprint".to_owned(),
            accepted_refresh_keys: BTreeSet::new(),
            audit_key,
            bus: None,
            lifetimes,
        }
    }

    /// Returns an entry next to `other`, or that of the only server.
    fn entry(other: Option<Other>) -> ReplicaEntry {
        let is_alone = other.is_none();
        let replicas = other.unwrap_or(Other(None));
        ReplicaEntry::new(Arc::new(replicas), Uuid::nil(), is_alone)
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
        let checkpoints = Checkpoints::new(
            administration.sign_checkpoint,
            entry(other),
            ChainEnd::START.number,
        );
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

    #[tokio::test(start_paused = true)]
    async fn checkpoints_are_logged_once_a_minute() {
        let fakes = Fakes::default();
        let administration = Administration::new(fakes.administration_ports(), Fakes::administration_rules());
        let checkpoints = Checkpoints::new(
            administration.sign_checkpoint,
            entry(None),
            ChainEnd::START.number,
        );
        assert!(checkpoints.is_due());
        for (seconds, is_due) in [(0, false), (59, false), (1, true), (1, false), (59, true)] {
            tokio::time::advance(Duration::from_secs(seconds)).await;
            assert_eq!(checkpoints.is_due(), is_due, "{seconds}");
        }
    }
}
