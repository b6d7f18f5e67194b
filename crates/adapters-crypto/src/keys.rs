//! Key files. The service reads these files in a key folder and ignores all others:
//!
//! | file | contents |
//! |---|---|
//! | `<name>.signing.pem` | exactly one: signs, verifies, is in the JWKS |
//! | `<name>.published.pem` | any number: verifies and is in the JWKS, to sign later |
//! | `<name>.retired.pem` | any number: verifies and is in the JWKS, but no longer signs |
//! | `<name>.successor.pem` | at most one, for a moment: signs in place of the signing key |
//! | `refresh.key` | 32 random bytes in base64: authenticates refresh tokens |
//! | `refresh-<name>.key` | any number, of the same form; the last one by name authenticates new refresh tokens |
//! | `audit.key` | 32 random bytes in base64: authenticates the audit log |
//!
//! The PEM files are unencrypted PKCS#8 private keys: EC P-256 (ES256), Ed25519 (EdDSA) or RSA
//! (RS256).
//!
//! All these files are secret. A file is rejected if others may read or write it, if its group may
//! write it, or if it belongs to neither this user nor root. A folder is rejected if others may
//! write to it. Container platforms mount secrets in two ways that are accepted: files readable by
//! the group, and world-writable folders with the sticky bit.

mod algorithm;
mod audit_key;
mod checked_key;
mod error;
mod file;
mod folder_state;
mod generate;
mod key_file;
mod key_folder;
mod key_pair;
mod key_rules;
mod public_key;
mod refresh_keys;
mod ring;
mod secret_bytes;

pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use audit_key::{AUDIT_KEY_FILE, AuditKey, generate_audit_key};
pub use checked_key::{KeyEntry, list};
pub use error::KeyError;
pub use folder_state::FolderState;
pub use generate::{Generated, generate_first_signing_key, generate_signing_key};
pub use key_file::KeyState;
pub use key_folder::KeyFolder;
pub use key_rules::KeyRules;
pub use public_key::PublicKey;
pub use refresh_keys::{
    REFRESH_KEY_FILE, RefreshKeyEntry, generate_refresh_key, has_refresh_key, list_refresh_keys,
};
pub use ring::KeyRing;

pub(crate) use refresh_keys::RefreshKey;
pub(crate) use ring::RingKey;
