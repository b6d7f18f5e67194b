//! The agreement of the replicas on the keys with which they make tokens.

use crate::{
    Failure,
    error_chain::ErrorChain,
    live_keys::{LiveKeys, Look, Signers},
    replica_entry::{ReplicaEntry, TERM, check_same, compare},
    shutdown::ReloadSignal,
};
use domain::{
    ports::{KeyUses, PortError},
    replica::ReplicaSettings,
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::Semaphore,
    task::spawn_blocking,
    time::{Instant, sleep_until, timeout},
};

/// The interval between looks at the key folder.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// The interval between agreements.
const AGREE_EVERY: Duration = Duration::from_secs(5);
/// The pause after an agreement that failed.
const RETRY: Duration = Duration::from_millis(250);
/// The wait budget for reading the key folder. Agreements go on without a folder that hangs.
const LOOK_BUDGET: Duration = Duration::from_secs(1);
/// The maximum number of choices in one agreement. A further one is needed only if other replicas
/// load keys meanwhile.
const ROUNDS: u32 = 3;

/// The cause of an agreement that is not reached although the database answers.
const UNACCEPTED: &str =
    "another replica does not accept the keys of this one, or keys keep changing; compare the key folders";

/// Stores which keys this replica has loaded, and makes tokens only with keys that every running
/// replica accepts.
pub struct KeyAgreement {
    keys: Arc<LiveKeys>,
    entry: ReplicaEntry,
    uses: Arc<dyn KeyUses>,
    /// The settings of this replica, apart from its keys.
    settings: ReplicaSettings,
    /// Whether replicas may reject the tokens of others.
    may_differ: bool,
    /// Held while the folder is read, so that at most one thread waits for it.
    reading: Arc<Semaphore>,
}

/// The result of an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Agreement {
    Reached,
    /// Other replicas kept changing their keys, or do not accept those of this one.
    Unsettled,
}

impl KeyAgreement {
    /// Creates the agreement without storing anything. `settings` need not contain keys.
    pub fn new(
        keys: Arc<LiveKeys>,
        entry: ReplicaEntry,
        uses: Arc<dyn KeyUses>,
        settings: ReplicaSettings,
        may_differ: bool,
    ) -> Self {
        Self {
            keys,
            entry,
            uses,
            settings,
            may_differ,
            reading: Arc::new(Semaphore::new(1)),
        }
    }

    /// Returns the entry of this server among the replicas.
    pub fn entry(&self) -> &ReplicaEntry {
        &self.entry
    }

    /// Stores the entry of this replica, and compares it with those that run. Of two that start at
    /// once, at least one finds the other.
    ///
    /// # Errors
    /// If another replica would reject the tokens or the audit events of this one, or miss its
    /// invalidations, or the other way round, unless they may differ. The entry is removed again.
    pub async fn join(&self) -> Result<(), Failure> {
        let incomparable = |error| Failure::because("the replicas cannot be compared", error);
        // Store nothing that others would consider if this replica is refused anyway.
        let others = self.entry.others().await.map_err(incomparable)?;
        check_same(
            &self.entry_of(&self.keys.choose(&others)),
            &others,
            self.may_differ,
        )?;
        self.agree().await.map_err(incomparable)?;
        let own = self.entry_of(&self.keys.signers());
        let others = self.entry.others().await.map_err(incomparable)?;
        let compared = compare(&own, &others, self.may_differ);
        if compared.is_err() {
            self.entry.leave().await;
        }
        compared
    }

    /// Follows the key folder and the other replicas until it is dropped. SIGHUP reads the folder
    /// at once.
    pub async fn run(&self, mut reloads: ReloadSignal) {
        let mut last = Agreement::Reached;
        let mut is_reported = false;
        let mut look = Instant::now() + LOOK_EVERY;
        let mut due = Instant::now() + AGREE_EVERY;
        loop {
            let has_changed = tokio::select! {
                Some(()) = reloads.next() => {
                    tracing::info!("reading the key folder because of SIGHUP");
                    self.follow(Look::Always).await
                }
                () = sleep_until(look) => {
                    look = Instant::now() + LOOK_EVERY;
                    self.follow(Look::IfChanged).await
                }
                // A token was refused. Do not wait for the next agreement, unless the last one
                // failed.
                () = self.keys.fence.wanted(), if last == Agreement::Reached => true,
                () = sleep_until(due) => true,
            };
            if has_changed {
                last = self.agree_or_log(&mut is_reported).await;
                let pause = if last == Agreement::Reached {
                    AGREE_EVERY
                } else {
                    RETRY
                };
                due = Instant::now() + pause;
            }
        }
    }

    /// Logs once that no tokens can be made, and when they can be made again.
    async fn agree_or_log(&self, is_reported: &mut bool) -> Agreement {
        let agreed = self.agree().await;
        let cause = agreed.as_ref().err().map(|error| ErrorChain(error).to_string());
        let is_open = self.keys.fence.is_open();
        if !is_open && !*is_reported {
            let error = cause.unwrap_or_else(|| UNACCEPTED.to_owned());
            tracing::error!(
                error,
                "no tokens can be made until the replicas agree on their keys"
            );
        } else if is_open && *is_reported {
            tracing::info!("the replicas agree on their keys again, and tokens are made");
        }
        *is_reported = !is_open;
        agreed.unwrap_or(Agreement::Unsettled)
    }

    /// Stores the keys of this replica and the ones with which it will make tokens, and uses the
    /// latter once every other running replica is known to accept them.
    ///
    /// The entry is stored before the others are read, so of two replicas that change their keys at
    /// once, at least one reads the new entry of the other.
    async fn agree(&self) -> Result<Agreement, PortError> {
        // Other replicas may have taken this one for killed, and its keys may have been removed.
        let is_resumed = !self.keys.fence.is_open();
        if is_resumed {
            self.follow(Look::Always).await;
        }
        let until = self.keys.fence.now() + TERM;
        let mut chosen = self.keys.choose(&self.entry.others().await?);
        for _ in 0..ROUNDS {
            self.entry.store(self.entry_of(&chosen), TERM).await?;
            let others = self.entry.others().await?;
            let again = self.keys.choose(&others);
            if again == chosen && is_resumed && !self.is_accepted(&chosen, &others) {
                return Ok(Agreement::Unsettled);
            }
            if again == chosen {
                let used = [chosen.access.clone(), chosen.refresh.clone()];
                self.uses.extend(&used, TERM).await?;
                self.keys.sign_with(&chosen);
                self.keys.fence.open_until(until);
                return Ok(Agreement::Reached);
            }
            chosen = again;
        }
        Ok(Agreement::Unsettled)
    }

    /// Returns whether the others accept tokens of `signers`, or may differ anyway.
    fn is_accepted(&self, signers: &Signers, others: &[ReplicaSettings]) -> bool {
        let accepts = |other: &ReplicaSettings| {
            other.accepted_keys.contains(&signers.access) && other.accepts_refresh_key(&signers.refresh)
        };
        self.may_differ || others.iter().all(accepts)
    }

    /// Returns the settings of this replica when it makes tokens with `signers`.
    fn entry_of(&self, signers: &Signers) -> ReplicaSettings {
        let loaded = self.keys.loaded();
        ReplicaSettings {
            signing_key: signers.access.clone(),
            accepted_keys: loaded.signing.into_iter().collect(),
            loaded_keys: loaded.since,
            refresh_key: signers.refresh.clone(),
            accepted_refresh_keys: loaded.refresh.into_iter().collect(),
            ..self.settings.clone()
        }
    }

    /// Reads the folder on a thread of its own, since a file system may hang, and returns whether
    /// other keys are in use now.
    async fn follow(&self, look: Look) -> bool {
        let Ok(reading) = Arc::clone(&self.reading).try_acquire_owned() else {
            return false;
        };
        let keys = Arc::clone(&self.keys);
        let followed = spawn_blocking(move || {
            let followed = keys.follow(look);
            drop(reading);
            followed
        });
        match timeout(LOOK_BUDGET, followed).await {
            Ok(followed) => followed.expect("reading keys does not panic"),
            Err(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        bus::BusKind,
        replica_entry::replica_settings,
        settings::{KeysSettings, TokensSettings},
        signing_fence::SigningFence,
    };
    use adapters_crypto::{
        SystemClock,
        keys::{Algorithm, KeyFolder, generate_refresh_key, generate_signing_key},
    };
    use domain::ports::{Clock, Replicas};
    use std::{fs, path::Path};
    use tempfile::TempDir;
    use testkit::{MemoryReplicas, MemoryStorage, TokioClock};
    use tokio::time::advance;
    use uuid::Uuid;

    /// A replica with a key folder of its own.
    struct Replica {
        folder: TempDir,
        agreement: KeyAgreement,
    }

    fn copy(from: &Path, to: &Path) {
        for file in fs::read_dir(to).expect("a folder") {
            fs::remove_file(file.expect("an entry").path()).expect("the file can be deleted");
        }
        for file in fs::read_dir(from).expect("a folder") {
            let file = file.expect("an entry");
            fs::copy(file.path(), to.join(file.file_name())).expect("the file can be copied");
        }
    }

    impl Replica {
        /// Creates the replica `id` with the keys of `folder`.
        fn new(id: u128, folder: &Path, replicas: &Arc<MemoryReplicas>, uses: &Arc<MemoryStorage>) -> Self {
            let own = tempfile::tempdir().expect("a folder");
            copy(folder, own.path());
            let settings = KeysSettings {
                dir: own.path().to_owned(),
                ..KeysSettings::default()
            };
            let fence = Arc::new(SigningFence::new(Arc::new(TokioClock::default())));
            let keys = LiveKeys::load(settings, fence, Arc::new(SystemClock)).expect("the keys can be used");
            let entry = ReplicaEntry::new(Arc::clone(replicas) as _, Uuid::from_u128(id), false);
            let settings = replica_settings(&TokensSettings::default(), "audit".to_owned(), BusKind::Process);
            let uses = Arc::clone(uses) as _;
            Self {
                agreement: KeyAgreement::new(Arc::new(keys), entry, uses, settings, false),
                folder: own,
            }
        }

        /// Follows its folder, agrees, and returns the id of the key that signs.
        async fn agree(&self) -> String {
            self.agreement.follow(Look::IfChanged).await;
            let agreed = self.agreement.agree().await.expect("the fakes succeed");
            assert_eq!(agreed, Agreement::Reached);
            assert!(self.agreement.keys.fence.is_open());
            self.signing()
        }

        fn signing(&self) -> String {
            self.agreement.keys.signers().access
        }
    }

    /// Returns a folder with one key of each kind, and the id of the signing key.
    fn new_folder() -> (TempDir, String) {
        let folder = tempfile::tempdir().expect("a folder");
        let key = generate_signing_key(folder.path(), Algorithm::Es256).expect("the folder is writable");
        generate_refresh_key(folder.path()).expect("the folder is writable");
        (folder, key.kid)
    }

    fn lock(folder: &Path) -> KeyFolder {
        KeyFolder::lock(folder).expect("the folder is writable")
    }

    fn memory() -> (Arc<MemoryReplicas>, Arc<MemoryStorage>) {
        Default::default()
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_signs_once_every_replica_has_loaded_it() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let first = Replica::new(1, folder.path(), &replicas, &uses);
        let second = Replica::new(2, folder.path(), &replicas, &uses);
        assert_eq!(
            (first.agree().await, second.agree().await),
            (one.clone(), one.clone())
        );

        let folder = first.folder.path();
        let two = lock(folder).publish(Algorithm::Es256).expect("a key").kid;
        let newest = lock(folder)
            .publish_refresh_key(SystemClock.now())
            .expect("a key")
            .fingerprint;
        lock(folder)
            .sign(&two, SystemClock.now())
            .expect("the key exists");
        assert_eq!(first.agree().await, one, "the second replica lacks the key");
        assert_ne!(first.agreement.keys.signers().refresh, newest);

        copy(folder, second.folder.path());
        assert_eq!(second.agree().await, two, "the first replica has the key");
        assert_eq!(second.agreement.keys.signers().refresh, newest);
        assert_eq!(first.agree().await, two);
        assert_eq!(first.agreement.keys.signers().refresh, newest);
        let known = uses.list().await.expect("a list");
        let known: Vec<_> = known.iter().map(|known| known.key.as_str()).collect();
        assert_eq!(known.len(), 4, "both keys of each kind");
        assert!(known.contains(&one.as_str()) && known.contains(&two.as_str()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_starts_signs_with_a_key_that_the_others_accept() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let first = Replica::new(1, folder.path(), &replicas, &uses);
        first.agreement.join().await.expect("the replica is alone");
        let two = lock(folder.path()).publish(Algorithm::Es256).expect("a key").kid;
        lock(folder.path())
            .sign(&two, SystemClock.now())
            .expect("the key exists");
        let second = Replica::new(2, folder.path(), &replicas, &uses);
        assert_eq!(second.signing(), two);

        second.agreement.join().await.expect("the replicas agree");

        assert_eq!(second.signing(), one);
        let (other, _) = new_folder();
        let third = Replica::new(3, other.path(), &replicas, &uses);
        assert!(third.agreement.join().await.is_err());
        let running = replicas.others(Uuid::nil()).await.expect("a list");
        assert_eq!(running.len(), 2, "the refused replica left nothing");
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_others_take_for_killed_reads_its_keys_before_it_signs_again() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let replica = Replica::new(1, folder.path(), &replicas, &uses);
        assert_eq!(replica.agree().await, one);
        let folder = replica.folder.path();
        let two = lock(folder).publish(Algorithm::Es256).expect("a key").kid;
        lock(folder)
            .sign(&two, SystemClock.now())
            .expect("the key exists");
        lock(folder).remove(&one).expect("the key exists");
        advance(TERM).await;
        assert!(!replica.agreement.keys.fence.is_open());

        let agreed = replica.agreement.agree().await.expect("the fakes succeed");

        assert_eq!((agreed, replica.signing()), (Agreement::Reached, two));
        assert!(replica.agreement.keys.fence.is_open());
    }

    #[tokio::test(start_paused = true)]
    async fn a_replica_that_returns_with_keys_that_others_do_not_accept_makes_no_tokens() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let first = Replica::new(1, folder.path(), &replicas, &uses);
        let second = Replica::new(2, folder.path(), &replicas, &uses);
        assert_eq!(
            (first.agree().await, second.agree().await),
            (one.clone(), one.clone())
        );
        advance(TERM).await;
        let folder = first.folder.path();
        let two = lock(folder).publish(Algorithm::Es256).expect("a key").kid;
        lock(folder)
            .sign(&two, SystemClock.now())
            .expect("the key exists");
        lock(folder).remove(&one).expect("the key exists");
        assert_eq!(first.agree().await, two, "the second replica counts as killed");

        let agreed = second.agreement.agree().await.expect("the fakes succeed");

        assert_eq!(agreed, Agreement::Unsettled);
        assert!(!second.agreement.keys.fence.is_open());
        copy(folder, second.folder.path());
        assert_eq!(second.agree().await, two);
    }

    #[tokio::test(start_paused = true)]
    async fn when_the_key_that_signs_is_deleted_nothing_is_signed_until_an_agreement() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let replica = Replica::new(1, folder.path(), &replicas, &uses);
        assert_eq!(replica.agree().await, one);
        let folder = replica.folder.path();
        let two = lock(folder).publish(Algorithm::Es256).expect("a key").kid;
        lock(folder)
            .sign(&two, SystemClock.now())
            .expect("the key exists");
        lock(folder).remove(&one).expect("the key exists");

        assert!(replica.agreement.follow(Look::IfChanged).await);

        assert!(!replica.agreement.keys.fence.is_open());
        assert_eq!(replica.agree().await, two);
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_database_with_one_server_entries_of_killed_servers_do_not_count() {
        let ((folder, one), (replicas, uses)) = (new_folder(), memory());
        let killed = Replica::new(1, folder.path(), &replicas, &uses);
        assert_eq!(killed.agree().await, one);
        let entry = ReplicaEntry::new(Arc::clone(&replicas) as _, Uuid::from_u128(2), true);
        assert_eq!(entry.others().await.expect("a list"), []);
        assert_eq!(killed.agreement.entry().others().await.expect("a list"), []);
        let beside = ReplicaEntry::new(replicas, Uuid::from_u128(2), false);
        assert_eq!(beside.others().await.expect("a list").len(), 1);
    }
}
