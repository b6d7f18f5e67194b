//! The keys of the audit log, and what depends on them.

use crate::{Failure, key_folder, settings::KeysSettings};
use adapters_crypto::{CheckpointFile, CheckpointKey, CheckpointPublicKey, HmacSealer, keys::AuditKey};
use domain::{
    core::AuditPorts,
    ports::{AuditSealer, CheckpointSigner, CheckpointVerifier, KeptCheckpoint, Storage},
};
use std::sync::Arc;

/// The adapters that use the audit key.
pub struct AuditKeys {
    sealer: Arc<HmacSealer>,
    signer: Arc<dyn CheckpointSigner>,
    public: CheckpointPublicKey,
    kept: Arc<dyn KeptCheckpoint>,
    is_ephemeral: bool,
}

impl AuditKeys {
    /// Loads the audit key, after generating it if that is allowed.
    pub fn load(settings: &KeysSettings) -> Result<Self, Failure> {
        let key = key_folder::load_audit_key(settings)?;
        Ok(Self::of(&key, settings))
    }

    /// Creates the keys of a process that only verifies. It has no audit key, and accepts the
    /// checkpoints that `public` signed.
    pub fn to_verify(public: CheckpointPublicKey, settings: &KeysSettings) -> Self {
        Self {
            public,
            is_ephemeral: true,
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
            is_ephemeral: false,
        }
    }

    /// Returns whether this process only verifies, and MUST NOT seal events.
    pub fn is_ephemeral(&self) -> bool {
        self.is_ephemeral
    }

    /// Returns the sealer, for storage.
    pub fn sealer(&self) -> Arc<dyn AuditSealer> {
        Arc::clone(&self.sealer) as _
    }

    /// Removes the checkpoint in the key folder, which is that of another database, before the
    /// first event of a new one is written.
    pub async fn begin(&self) -> Result<(), Failure> {
        let removed = self.kept.forget().await;
        removed
            .map_err(|error| Failure::because("the checkpoint of another database cannot be removed", error))
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
            events: Arc::clone(&storage.audit_events),
            checkpoints: Arc::clone(&storage.audit_checkpoints),
            kept: Arc::clone(&self.kept),
            sealer: self.sealer(),
            signer: Arc::clone(&self.signer),
            verifier,
        }
    }
}
