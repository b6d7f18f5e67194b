//! Rotation of the keys by the service itself.

use crate::{Failure, background::ticks, key_folder::unchanged, key_stages::KeyStages};
use adapters_crypto::keys::{Algorithm, KeyError, KeyFolder, KeyState};
use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    key_rotation::{RefreshStep, Step},
    ports::Clock,
};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::task::spawn_blocking;

/// The interval between looks for a step that is due.
const PERIOD: Duration = Duration::from_secs(10);

/// Takes the steps of a rotation when they are due. Of the replicas that share a key folder, one at
/// a time does, since it locks the folder.
pub struct KeyRenewal {
    stages: KeyStages,
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    /// The age at which a key is replaced.
    every: TimeDelta,
    /// Whether the last attempt failed.
    is_failing: AtomicBool,
}

impl KeyRenewal {
    pub fn new(stages: KeyStages, folder: PathBuf, clock: Arc<dyn Clock>, every: TimeDelta) -> Self {
        Self {
            stages,
            folder,
            clock,
            every,
            is_failing: AtomicBool::new(false),
        }
    }

    /// Runs until it is dropped.
    pub async fn run(&self) {
        let mut ticks = ticks(PERIOD);
        loop {
            ticks.tick().await;
            self.note(self.take_due_steps().await);
        }
    }

    /// Takes the steps that are due now, at most one of each kind of key.
    async fn take_due_steps(&self) -> Result<(), Failure> {
        let path = self.folder.clone();
        let locked = spawn_blocking(move || KeyFolder::lock(&path)).await;
        let folder = match locked.expect("locking does not panic") {
            // Another replica or a command takes the steps.
            Err(KeyError::Locked { .. }) => return Ok(()),
            other => other.map_err(unchanged)?,
        };
        let stages = self.stages.read().await?;
        let now = self.clock.now();
        let signing = stages.keys.iter().find(|key| key.state == KeyState::Signing);
        let algorithm = signing.map_or(Algorithm::Es256, |key| key.algorithm);
        let step = stages.signing.due(self.every, now);
        let refresh_step = stages.refresh.due(self.every, now);
        let taken = spawn_blocking(move || {
            if let Some(step) = step {
                take(&folder, &step, algorithm, now)?;
            }
            if let Some(step) = refresh_step {
                take_refresh(&folder, &step, now)?;
            }
            Ok(())
        });
        taken.await.expect("a step does not panic").map_err(unchanged)
    }

    /// Logs the first of several failures in a row.
    fn note(&self, taken: Result<(), Failure>) {
        let was_failing = self.is_failing.swap(taken.is_err(), Ordering::Relaxed);
        if let Some(failure) = taken.err().filter(|_| !was_failing) {
            tracing::error!("the keys are not rotated: {failure}");
        }
    }
}

fn take(folder: &KeyFolder, step: &Step, algorithm: Algorithm, now: DateTime<Utc>) -> Result<(), KeyError> {
    match step {
        Step::Publish => {
            let kid = folder.publish(algorithm)?.kid;
            tracing::info!(kid, "published a signing key; back it up");
        }
        Step::Sign { kid, .. } => {
            folder.sign(kid, now)?;
            tracing::info!(kid, "a new key signs; retired its predecessor");
        }
        Step::Retire { kid } => {
            folder.retire(kid, now)?;
            tracing::info!(kid, "retired a signing key");
        }
        Step::Remove { kid } => {
            folder.remove(kid)?;
            tracing::info!(kid, "deleted a retired signing key");
        }
    }
    Ok(())
}

fn take_refresh(folder: &KeyFolder, step: &RefreshStep, now: DateTime<Utc>) -> Result<(), KeyError> {
    match step {
        RefreshStep::Publish => {
            let key = folder.publish_refresh_key(now)?;
            tracing::info!(fingerprint = key.fingerprint, "created a refresh key; back it up");
        }
        RefreshStep::Remove(fingerprint) => {
            folder.remove_refresh_key(fingerprint)?;
            tracing::info!(fingerprint, "deleted an old refresh key");
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        app::tests::settings,
        bus::BusKind,
        replica_entry::{TERM, replica_settings},
        settings::Settings,
    };
    use adapters_crypto::{
        SystemClock,
        keys::{generate_refresh_key, generate_signing_key, list, list_refresh_keys},
    };
    use domain::{
        ports::{KeyUses, Replicas},
        replica::{ReplicaSettings, RunningReplica},
    };
    use testkit::{FixedClock, MemoryReplicas, MemoryStorage};
    use uuid::Uuid;

    const DAY: TimeDelta = TimeDelta::days(1);

    struct World {
        settings: Settings,
        replicas: Arc<MemoryReplicas>,
        uses: Arc<MemoryStorage>,
        clock: Arc<FixedClock>,
        _folder: tempfile::TempDir,
    }

    impl World {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a folder");
            let settings = settings(folder.path());
            generate_signing_key(&settings.keys.dir, Algorithm::EdDsa).expect("the folder is writable");
            generate_refresh_key(&settings.keys.dir).expect("the folder is writable");
            Self {
                settings,
                replicas: Arc::default(),
                uses: Arc::default(),
                // The files are as old as the test.
                clock: Arc::new(FixedClock::new(SystemClock.now())),
                _folder: folder,
            }
        }

        /// Takes the steps that are due, and returns how many keys of each kind there are: the
        /// states of the signing keys, and the number of refresh keys.
        async fn step(&self) -> (Vec<(KeyState, Algorithm)>, usize) {
            let stages = KeyStages::of(
                &self.settings,
                Arc::clone(&self.replicas) as _,
                Arc::clone(&self.uses) as _,
            );
            let folder = self.settings.keys.dir.clone();
            let renewal = KeyRenewal::new(stages, folder.clone(), Arc::clone(&self.clock) as _, DAY * 10);
            renewal.take_due_steps().await.expect("the folder is writable");
            let keys = list(&folder, crate::key_folder::rules(&self.settings.keys)).expect("a list");
            let refresh_keys = list_refresh_keys(&folder).expect("a list");
            (
                keys.iter().map(|key| (key.state, key.algorithm)).collect(),
                refresh_keys.len(),
            )
        }

        fn wait(&self, time: TimeDelta) {
            self.clock.advance(time);
        }

        /// A replica loads all keys and makes tokens with the newest ones.
        async fn load(&self) {
            let folder = &self.settings.keys.dir;
            let keys = list(folder, crate::key_folder::rules(&self.settings.keys)).expect("a list");
            let kids = || keys.iter().map(|key| key.kid.clone());
            let refresh_keys = list_refresh_keys(folder).expect("a list");
            let fingerprints: Vec<_> = refresh_keys.into_iter().map(|key| key.fingerprint).collect();
            let now = self.clock.now().timestamp_millis();
            let audit_key = "audit".to_owned();
            let settings = ReplicaSettings {
                signing_key: keys[0].kid.clone(),
                accepted_keys: kids().collect(),
                loaded_keys: kids().map(|kid| (kid, now)).collect(),
                refresh_key: fingerprints[0].clone(),
                accepted_refresh_keys: fingerprints.into_iter().collect(),
                ..replica_settings(&self.settings.tokens, audit_key, BusKind::Process)
            };
            let id = Uuid::from_u128(1);
            let stored = self.replicas.store(&RunningReplica { id, settings }, TERM).await;
            stored.expect("the fake succeeds");
        }
    }

    #[tokio::test]
    async fn keys_are_replaced_at_their_age_and_deleted_when_no_token_needs_them() {
        use KeyState::{Published, Retired, Signing};
        let eddsa = |states: &[KeyState]| {
            states
                .iter()
                .map(|state| (*state, Algorithm::EdDsa))
                .collect::<Vec<_>>()
        };
        let world = World::new();
        world.load().await;
        assert_eq!(world.step().await, (eddsa(&[Signing]), 1), "the keys are new");
        world.wait(DAY * 10);
        assert_eq!(world.step().await, (eddsa(&[Signing, Published]), 2));
        assert_eq!(
            world.step().await,
            (eddsa(&[Signing, Published]), 2),
            "no replica has it"
        );
        world.load().await;
        assert_eq!(
            world.step().await,
            (eddsa(&[Signing, Published]), 2),
            "it may be unknown"
        );
        world.wait(TimeDelta::minutes(6));
        assert_eq!(world.step().await, (eddsa(&[Signing, Retired]), 2));
        world.load().await;
        assert_eq!(
            world.step().await,
            (eddsa(&[Signing, Retired]), 2),
            "its tokens are valid"
        );
        world.wait(DAY);
        assert_eq!(
            world.step().await,
            (eddsa(&[Signing]), 2),
            "sessions live longer than tokens"
        );
        world.wait(DAY * 30);
        let (_, refresh_keys) = world.step().await;
        assert_eq!(refresh_keys, 1);
    }

    #[tokio::test]
    async fn a_key_of_which_the_database_knows_a_later_use_is_kept() {
        let world = World::new();
        world.wait(DAY * 10);
        world.step().await;
        world.load().await;
        world.wait(TimeDelta::minutes(6));
        let (states, _) = world.step().await;
        assert_eq!(states.len(), 2);
        world.load().await;
        let folder = &world.settings.keys.dir;
        let keys = list(folder, crate::key_folder::rules(&world.settings.keys)).expect("a list");
        let term = Duration::from_hours(24 * 365 * 100);
        let extended = world.uses.extend(&[keys[1].kid.clone()], term).await;
        extended.expect("the fake succeeds");
        world.wait(DAY);
        assert_eq!(world.step().await.0.len(), 2);
    }

    #[tokio::test]
    async fn a_folder_that_another_process_changes_is_left_to_it_and_a_missing_one_is_not_created() {
        let world = World::new();
        world.wait(DAY * 10);
        let folder = &world.settings.keys.dir;
        let lock = KeyFolder::lock(folder).expect("the folder can be locked");
        assert_eq!(world.step().await.0.len(), 1);
        drop(lock);
        assert_eq!(world.step().await.0.len(), 2);

        let stages = KeyStages::of(
            &world.settings,
            Arc::clone(&world.replicas) as _,
            Arc::clone(&world.uses) as _,
        );
        let missing = folder.join("missing");
        let renewal = KeyRenewal::new(stages, missing.clone(), Arc::clone(&world.clock) as _, DAY);
        let taken = renewal.take_due_steps().await;
        assert!(taken.is_err() && !missing.exists());
        renewal.note(taken);
        assert!(renewal.is_failing.load(Ordering::Relaxed));
        renewal.note(Ok(()));
        assert!(!renewal.is_failing.load(Ordering::Relaxed));
    }
}
