//! The keys that authenticate refresh tokens and device tokens.

use super::{
    KeyError,
    file::{file_names, lock_folder, make_folder, modified},
    secret_bytes::{generate_secret_bytes, read_secret_bytes},
};
use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::{DateTime, Utc};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The name of the first refresh key's file.
pub const REFRESH_KEY_FILE: &str = "refresh.key";
const PREFIX: &str = "refresh-";
const SUFFIX: &str = ".key";
/// The length of a fingerprint in bytes.
const FINGERPRINT_LENGTH: usize = 12;

/// A key that authenticates refresh tokens.
#[derive(Clone)]
pub struct RefreshKey {
    pub key: Zeroizing<[u8; 32]>,
    pub fingerprint: String,
}

impl RefreshKey {
    /// Computes a fingerprint, from which the key cannot be computed: a MAC of a fixed text, which
    /// is shorter than any input of a refresh token's MAC.
    pub fn new(key: Zeroizing<[u8; 32]>) -> Self {
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, &*key),
            b"fingerprint of the refresh key",
        );
        let short: Vec<u8> = mac.as_ref().iter().copied().take(FINGERPRINT_LENGTH).collect();
        Self {
            key,
            fingerprint: URL_SAFE_NO_PAD.encode(short),
        }
    }
}

/// A refresh key's file as shown in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefreshKeyEntry {
    pub path: PathBuf,
    pub fingerprint: String,
    /// When the file was written.
    pub since: DateTime<Utc>,
}

impl RefreshKeyEntry {
    fn of(folder: &Path, name: &str) -> Result<Self, KeyError> {
        let path = folder.join(name);
        Ok(Self {
            fingerprint: read(folder, name)?.fingerprint,
            since: modified(&path)?,
            path,
        })
    }
}

/// Lists the refresh keys in `folder`, the newest first.
///
/// # Errors
/// If the folder or a file cannot be read, is accessible to others or contains no key.
pub fn list_refresh_keys(folder: &Path) -> Result<Vec<RefreshKeyEntry>, KeyError> {
    let names = find(folder)?;
    names
        .iter()
        .map(|name| RefreshKeyEntry::of(folder, name))
        .collect()
}

/// Returns whether `folder` contains a refresh key.
///
/// # Errors
/// If the folder cannot be read or is writable by others.
pub fn has_refresh_key(folder: &Path) -> Result<bool, KeyError> {
    Ok(!find(folder)?.is_empty())
}

/// Generates the first refresh key in `folder`, which is created if missing, and returns its path.
///
/// # Errors
/// Returns [`KeyError::Exists`] if there is a refresh key, or another [`KeyError`] if the folder
/// cannot be written.
pub fn generate_refresh_key(folder: &Path) -> Result<PathBuf, KeyError> {
    make_folder(folder)?;
    let path = folder.join(REFRESH_KEY_FILE);
    // A folder with a key may be one that cannot be locked.
    if has_refresh_key(folder)? {
        return Err(KeyError::Exists { path });
    }
    let _lock = lock_folder(folder)?;
    if has_refresh_key(folder)? {
        return Err(KeyError::Exists { path });
    }
    generate_secret_bytes(folder, REFRESH_KEY_FILE)
}

/// Generates a refresh key that is newer than the others. The folder MUST be locked.
pub(super) fn generate_next(folder: &Path, now: DateTime<Utc>) -> Result<RefreshKeyEntry, KeyError> {
    let name = format!("{PREFIX}{}{SUFFIX}", now.format("%Y%m%dT%H%M%S%.6fZ"));
    generate_secret_bytes(folder, &name)?;
    RefreshKeyEntry::of(folder, &name)
}

/// Reads the refresh keys in `folder`, the newest first.
///
/// # Errors
/// Returns [`KeyError::RefreshKeyMissing`] if there is none, or another [`KeyError`] if the folder
/// or a file cannot be used.
pub(super) fn read_all(folder: &Path) -> Result<Vec<RefreshKey>, KeyError> {
    let keys: Result<Vec<_>, _> = find(folder)?.iter().map(|name| read(folder, name)).collect();
    let keys = keys?;
    if keys.is_empty() {
        let path = folder.join(REFRESH_KEY_FILE);
        return Err(KeyError::RefreshKeyMissing { path });
    }
    Ok(keys)
}

fn read(folder: &Path, name: &str) -> Result<RefreshKey, KeyError> {
    let missing = |path| KeyError::RefreshKeyMissing { path };
    let malformed = |path| KeyError::RefreshKeyMalformed { path };
    read_secret_bytes(folder, name, missing, malformed).map(RefreshKey::new)
}

/// Returns the names of the refresh keys in `folder`, the newest first: later names are newer, and
/// the name of the first key has no part to compare.
fn find(folder: &Path) -> Result<Vec<String>, KeyError> {
    let mut names = file_names(folder)?;
    names.retain(|name| is_refresh_key(name));
    names.sort_by(|one, other| rank(other).cmp(rank(one)));
    Ok(names)
}

/// Returns whether a file with this name is a refresh key.
pub(super) fn is_refresh_key(name: &str) -> bool {
    name == REFRESH_KEY_FILE || !rank(name).is_empty()
}

fn rank(name: &str) -> &str {
    let rank = name.strip_prefix(PREFIX);
    rank.and_then(|rank| rank.strip_suffix(SUFFIX))
        .unwrap_or_default()
}
