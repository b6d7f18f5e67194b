//! The keys of the audit log, and what depends on them.

use crate::{
    Failure, key_folder,
    settings::{KeysSettings, variable},
};
use adapters_crypto::{
    CheckpointFile, CheckpointKey, CheckpointPublicKey, HmacSealer, SystemClock, keys::AuditKey,
};
use domain::{
    audit::KeyTrace,
    core::AuditPorts,
    ports::{AuditSealer, CheckpointSigner, CheckpointVerifier, Clock, KeptCheckpoint, Storage},
};
use std::sync::Arc;

/// The adapters that use the audit key.
pub struct AuditKeys {
    sealer: Arc<HmacSealer>,
    signer: Arc<dyn CheckpointSigner>,
    public: CheckpointPublicKey,
    kept: Arc<dyn KeptCheckpoint>,
    is_generated: bool,
    only_verifies: bool,
}

/// The kind of process that needs the audit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUser {
    Server,
    /// A command, which often runs in another directory than the service.
    Command,
}

impl AuditKeys {
    /// Loads the audit key, and never generates it.
    pub fn load(settings: &KeysSettings) -> Result<Self, Failure> {
        let key = key_folder::load_audit_key(settings)?;
        Ok(Self::of(&key, settings))
    }

    /// Loads the audit key of the database with `trace`, after generating it if that is allowed and
    /// the database was never used with one.
    ///
    /// # Errors
    /// If there is no key, or the database was used with another one. A process with another key
    /// would seal the pending events of others as forged.
    pub fn of_database(settings: &KeysSettings, trace: &KeyTrace, user: KeyUser) -> Result<Self, Failure> {
        let is_generated = settings.generate_missing && generate_if_unused(settings, trace, user)?;
        let keys = Self {
            is_generated,
            ..Self::load(settings)?
        };
        keys.check(settings, trace)?;
        Ok(keys)
    }

    /// Checks that the database with `trace` was not used with another audit key.
    pub fn check(&self, settings: &KeysSettings, trace: &KeyTrace) -> Result<(), Failure> {
        trace.check(self.sealer.key_id(), &self.public).map_err(|other| {
            let what = format!(
                "{} (id {}) is not the audit key of this database; put the right key there, or correct {} or {}; if \
                 the right key is lost, stop all servers and run `authapi audit accept`",
                key_folder::audit_key_path(&settings.dir).display(),
                self.key_id(),
                variable("keys.dir"),
                variable("database.url"),
            );
            Failure::because(what, other)
        })
    }

    /// Creates the keys of a process that only verifies. It has no audit key, and accepts the
    /// checkpoints that `public` signed.
    pub fn to_verify(public: CheckpointPublicKey, settings: &KeysSettings) -> Self {
        Self {
            public,
            only_verifies: true,
            ..Self::of(&AuditKey::ephemeral(), settings)
        }
    }

    fn of(key: &AuditKey, settings: &KeysSettings) -> Self {
        let signer = CheckpointKey::new(key);
        Self {
            sealer: Arc::new(HmacSealer::new(key)),
            public: signer.public_key(),
            signer: Arc::new(signer),
            kept: Arc::new(CheckpointFile::new(&settings.dir)),
            is_generated: false,
            only_verifies: false,
        }
    }

    /// Returns whether this process only verifies, and MUST NOT seal events.
    pub fn only_verifies(&self) -> bool {
        self.only_verifies
    }

    /// Returns whether this process generated the audit key.
    pub fn is_generated(&self) -> bool {
        self.is_generated
    }

    /// Returns the sealer, for storage.
    pub fn sealer(&self) -> Arc<dyn AuditSealer> {
        Arc::clone(&self.sealer) as _
    }

    /// Checks, before the schema is migrated, that a key which is not generated exists.
    pub fn check_present(settings: &KeysSettings) -> Result<(), Failure> {
        if settings.generate_missing {
            return Ok(());
        }
        Self::load(settings).map(|_| ())
    }

    /// Renames the checkpoint in the key folder, if there is one, before a new database is created:
    /// it is that of another database. It remains evidence, in case the tables were dropped.
    pub fn set_checkpoint_aside(settings: &KeysSettings) -> Result<(), Failure> {
        let aside = CheckpointFile::new(&settings.dir).set_aside(SystemClock.now());
        let aside = aside.map_err(|error| {
            let what = format!(
                "the database is new, and the key folder has the checkpoint of another one, which cannot be renamed; \
                 correct {}, or move the file away",
                variable("database.url")
            );
            Failure::because(what, error)
        })?;
        if let Some(path) = aside {
            tracing::warn!(
                path = %path.display(),
                "the database is new; renamed the checkpoint of another database in the key folder"
            );
        }
        Ok(())
    }

    /// Returns the id of the key that authenticates events.
    pub fn key_id(&self) -> String {
        self.sealer.key_id().to_string()
    }

    /// Returns the key with which checkpoints are verified.
    pub fn public_key(&self) -> &CheckpointPublicKey {
        &self.public
    }

    /// Returns the ports of the audit log over `storage`.
    pub fn ports(&self, storage: &Storage) -> AuditPorts {
        let verifier: Arc<dyn CheckpointVerifier> = Arc::new(self.public.clone());
        AuditPorts {
            log: Arc::clone(&storage.audit_log),
            checkpoints: Arc::clone(&storage.audit_checkpoints),
            kept: Arc::clone(&self.kept),
            sealer: self.sealer(),
            signer: Arc::clone(&self.signer),
            verifier,
        }
    }
}

/// Generates the audit key if there is none, and returns whether this process did.
fn generate_if_unused(settings: &KeysSettings, trace: &KeyTrace, user: KeyUser) -> Result<bool, Failure> {
    let path = key_folder::audit_key_path(&settings.dir);
    if path.exists() {
        return Ok(false);
    }
    let (path, setting) = (path.display(), variable("keys.dir"));
    if trace.is_used() {
        return Err(Failure::new(format!(
            "{path} is missing, and the audit log of this database was written with an audit key: run this command in \
             the directory of the service, correct {setting}, or copy the key from another replica or a backup; if it \
             is lost, create one there with `(umask 077; openssl rand -base64 32 >audit.key)`, stop all servers and run \
             `authapi audit accept`"
        )));
    }
    if *trace == KeyTrace::Keyless && user == KeyUser::Command && !key_folder::is_of_service(&settings.dir) {
        return Err(Failure::new(format!(
            "{path} is missing, and its folder has no keys of the service: run this command in the directory of the \
             service, correct {setting}, or start the service once, which generates the key"
        )));
    }
    key_folder::ensure_audit_key(&settings.dir)
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::audit::AuditKeyId;
    use std::{fs, path::Path};
    use tempfile::TempDir;

    const OTHER: KeyTrace = KeyTrace::Sealed(AuditKeyId([7; 8]));

    fn settings(folder: &Path) -> KeysSettings {
        KeysSettings {
            dir: folder.join("keys"),
            ..KeysSettings::default()
        }
    }

    fn folder() -> TempDir {
        tempfile::tempdir().expect("the folder can be created")
    }

    fn refused(settings: &KeysSettings, trace: &KeyTrace, user: KeyUser) -> String {
        let keys = AuditKeys::of_database(settings, trace, user);
        keys.err().expect("the key is refused").to_string()
    }

    #[test]
    fn no_second_key_is_generated_for_a_database_that_was_used_with_one() {
        let folder = folder();
        let settings = settings(folder.path());
        for user in [KeyUser::Server, KeyUser::Command] {
            let says = refused(&settings, &OTHER, user);
            for part in [
                "keys/audit.key is missing",
                "AUTHAPI_KEYS__DIR",
                "authapi audit accept",
            ] {
                assert!(says.contains(part), "no {part:?} in {says}");
            }
            assert!(!settings.dir.exists(), "{user:?}");
        }
    }

    #[test]
    fn a_command_generates_the_key_of_an_older_log_only_next_to_the_keys_of_the_service() {
        let folder = folder();
        let settings = settings(folder.path());
        let says = refused(&settings, &KeyTrace::Keyless, KeyUser::Command);
        assert!(says.contains("has no keys of the service"), "{says}");
        assert!(!settings.dir.exists());

        let server = AuditKeys::of_database(&settings, &KeyTrace::Keyless, KeyUser::Server);
        assert!(server.expect("a server generates the key").is_generated);
        fs::write(settings.dir.join("refresh.key"), "").expect("the folder is writable");
        fs::remove_file(settings.dir.join("audit.key")).expect("the key was generated");
        let command = AuditKeys::of_database(&settings, &KeyTrace::Keyless, KeyUser::Command);
        assert!(command.expect("a command generates the key").is_generated);
    }

    #[test]
    fn another_key_than_that_of_the_database_is_refused_with_its_path_and_both_ids() {
        let folder = folder();
        let settings = settings(folder.path());
        let keys = AuditKeys::of_database(&settings, &KeyTrace::Empty, KeyUser::Command);
        let own = keys.expect("a new database has no key").key_id();
        let says = refused(&settings, &OTHER, KeyUser::Server);
        for part in ["keys/audit.key", &own, "0707070707070707", "authapi audit accept"] {
            assert!(says.contains(part), "no {part:?} in {says}");
        }
    }

    #[test]
    fn only_the_process_that_generated_the_key_is_marked() {
        let folder = folder();
        let settings = settings(folder.path());
        let load = || AuditKeys::of_database(&settings, &KeyTrace::Empty, KeyUser::Server);
        assert!(load().expect("the key is generated").is_generated);
        assert!(!load().expect("the key is loaded").is_generated);
    }
}
