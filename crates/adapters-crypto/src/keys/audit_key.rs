use super::{
    KeyError,
    file::check_folder,
    secret_bytes::{generate_secret_bytes, read_secret_bytes},
};
use crate::OsRandomness;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use domain::ports::Randomness;
use std::{
    fmt,
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The name of the audit key's file.
pub const AUDIT_KEY_FILE: &str = "audit.key";

/// The secret from which the keys of the audit log are derived.
#[derive(Clone)]
pub struct AuditKey(Zeroizing<[u8; 32]>);

impl AuditKey {
    /// Reads the audit key of `folder`.
    ///
    /// # Errors
    /// Returns [`KeyError::AuditKeyMissing`] if there is none, and another [`KeyError`] if the
    /// folder is missing or writable by others, or the file is accessible to others or contains no
    /// key.
    pub fn load(folder: &Path) -> Result<Self, KeyError> {
        check_folder(folder)?;
        let missing = |path| KeyError::AuditKeyMissing { path };
        let malformed = |path| KeyError::AuditKeyMalformed { path };
        read_secret_bytes(folder, AUDIT_KEY_FILE, missing, malformed).map(Self)
    }

    /// Creates a key that no other process has, for one that writes no events.
    #[must_use]
    pub fn ephemeral() -> Self {
        Self(Zeroizing::new(OsRandomness.bytes()))
    }

    /// Derives the key for `purpose` (HKDF-SHA256, RFC 5869).
    pub(crate) fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        let secret = Salt::new(HKDF_SHA256, &[]).extract(self.0.as_slice());
        let mut key = Zeroizing::new([0; 32]);
        secret
            .expand(&[purpose.as_bytes()], HKDF_SHA256)
            .and_then(|derived| derived.fill(key.as_mut_slice()))
            .expect("HKDF-SHA256 can derive 32 bytes");
        key
    }
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditKey([REDACTED])")
    }
}

/// Generates the audit key in `folder`, which is created if missing, and returns its path.
///
/// # Errors
/// Returns [`KeyError::Exists`] if there is an audit key, or another [`KeyError`] if the folder
/// cannot be written.
pub fn generate_audit_key(folder: &Path) -> Result<PathBuf, KeyError> {
    generate_secret_bytes(folder, AUDIT_KEY_FILE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_has_another_key() {
        let key = AuditKey(Zeroizing::new([7; 32]));
        assert_eq!(key.derive("one"), key.derive("one"));
        assert_ne!(key.derive("one"), key.derive("other"));
        let other = AuditKey(Zeroizing::new([8; 32]));
        assert_ne!(key.derive("one"), other.derive("one"));
        assert_eq!(format!("{key:?}"), "AuditKey([REDACTED])");
    }

    #[test]
    fn a_generated_key_is_loaded_and_never_overwritten() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = generate_audit_key(folder.path()).expect("the key can be generated");
        let refused = generate_audit_key(folder.path());
        assert!(matches!(refused, Err(KeyError::Exists { .. })));
        let load = || AuditKey::load(folder.path()).expect("the key can be loaded");
        assert_eq!(load().derive("one"), load().derive("one"));

        let nowhere = AuditKey::load(&folder.path().join("nowhere"));
        assert!(matches!(nowhere, Err(KeyError::FolderMissing { .. })));
        std::fs::write(&path, "short").expect("the file is writable");
        let refused = AuditKey::load(folder.path())
            .expect_err("the file has no key")
            .to_string();
        assert!(
            refused.contains("audit.key does not contain 32 bytes"),
            "{refused}"
        );
        std::fs::remove_file(&path).expect("the file exists");
        let refused = AuditKey::load(folder.path())
            .expect_err("there is no key")
            .to_string();
        assert!(refused.contains("audit.key is missing; restore it"), "{refused}");
    }
}
