use super::{
    Algorithm, Generated, KeyError, KeyState, PublicKey, RefreshKeyEntry,
    file::{check_folder, try_lock_folder},
    generate::generate,
    key_file::{self, KeyFile},
    list_refresh_keys, refresh_keys,
};
use chrono::{DateTime, Utc};
use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::SystemTime,
};

/// A key folder, locked so that one process at a time changes it.
///
/// A process that is killed at any time leaves a folder with which the service starts: files are
/// written completely or not at all, states change by renames, and a key that takes over is marked
/// until its predecessor is retired. [`lock`](Self::lock) completes such a change.
pub struct KeyFolder {
    path: PathBuf,
    /// Held until it is dropped.
    _lock: File,
}

impl KeyFolder {
    /// Locks `folder` unless another process has locked it, and completes a change that a killed
    /// process began.
    ///
    /// # Errors
    /// Returns [`KeyError::Locked`] if another process has locked it, or another [`KeyError`] if
    /// there is no such folder or it cannot be read or written.
    pub fn lock(folder: &Path) -> Result<Self, KeyError> {
        check_folder(folder)?;
        let folder = Self {
            path: folder.to_owned(),
            _lock: try_lock_folder(folder)?,
        };
        folder.complete()?;
        Ok(folder)
    }

    /// Generates a published key.
    ///
    /// # Errors
    /// If the folder cannot be written.
    ///
    /// # Panics
    /// Panics if the system cannot provide entropy or memory for the key.
    pub fn publish(&self, algorithm: Algorithm) -> Result<Generated, KeyError> {
        generate(&self.path, algorithm, KeyState::Published)
    }

    /// Generates a refresh key that is newer than the others.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn publish_refresh_key(&self, now: DateTime<Utc>) -> Result<RefreshKeyEntry, KeyError> {
        let key = refresh_keys::generate_next(&self.path, now)?;
        touch(&key.path, now)?;
        Ok(RefreshKeyEntry { since: now, ..key })
    }

    /// Makes the key `kid` sign, and retires the one that signed.
    ///
    /// # Errors
    /// If there is no such key, or the folder cannot be written.
    pub fn sign(&self, kid: &str, now: DateTime<Utc>) -> Result<(), KeyError> {
        let file = self.find(kid)?;
        if file.state == KeyState::Signing {
            return Ok(());
        }
        touch(&file.path, now)?;
        for predecessor in key_file::find(&self.path)? {
            if predecessor.state == KeyState::Signing {
                touch(&predecessor.path, now)?;
            }
        }
        self.rename(&file.path, &file.path_of_successor())?;
        self.complete()
    }

    /// Retires the key `kid`.
    ///
    /// # Errors
    /// If there is no such key, or the folder cannot be written.
    pub fn retire(&self, kid: &str, now: DateTime<Utc>) -> Result<(), KeyError> {
        let file = self.find(kid)?;
        touch(&file.path, now)?;
        self.rename(&file.path, &file.path_in(KeyState::Retired))
    }

    /// Deletes the key `kid`.
    ///
    /// # Errors
    /// If there is no such key, or the folder cannot be written.
    pub fn remove(&self, kid: &str) -> Result<(), KeyError> {
        self.delete(&self.find(kid)?.path)
    }

    /// Deletes the refresh key with this fingerprint.
    ///
    /// # Errors
    /// If there is no such key, or the folder cannot be written.
    pub fn remove_refresh_key(&self, fingerprint: &str) -> Result<(), KeyError> {
        let mut keys = list_refresh_keys(&self.path)?.into_iter();
        let key = keys.find(|key| key.fingerprint == fingerprint);
        self.delete(&key.ok_or_else(|| self.no_such_key(fingerprint))?.path)
    }

    /// Renames the files whose names do not state the states of their keys yet. The successor comes
    /// last: until then, its name explains the others.
    fn complete(&self) -> Result<(), KeyError> {
        let files = key_file::find(&self.path)?;
        let (successors, others): (Vec<_>, Vec<_>) = files
            .into_iter()
            .filter(KeyFile::is_misnamed)
            .partition(KeyFile::takes_over);
        for file in others.into_iter().chain(successors) {
            self.rename(&file.path, &file.path_in(file.state))?;
        }
        Ok(())
    }

    fn find(&self, kid: &str) -> Result<KeyFile, KeyError> {
        for file in key_file::find(&self.path)? {
            if PublicKey::from(&file.read()?).kid == kid {
                return Ok(file);
            }
        }
        Err(self.no_such_key(kid))
    }

    fn no_such_key(&self, kid: &str) -> KeyError {
        KeyError::NoSuchKey {
            folder: self.path.clone(),
            kid: kid.to_owned(),
        }
    }

    /// Renames a file, which is durable when this returns. A file that exists is not replaced.
    fn rename(&self, from: &Path, to: &Path) -> Result<(), KeyError> {
        let unwritable = |source| KeyError::Unwritable {
            path: from.to_owned(),
            source,
        };
        if to.try_exists().map_err(unwritable)? {
            return Err(KeyError::Exists { path: to.to_owned() });
        }
        fs::rename(from, to)
            .and_then(|()| self.sync())
            .map_err(unwritable)
    }

    fn delete(&self, path: &Path) -> Result<(), KeyError> {
        fs::remove_file(path)
            .and_then(|()| self.sync())
            .map_err(|source| KeyError::Unwritable {
                path: path.to_owned(),
                source,
            })
    }

    fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()
    }
}

/// Stores that the file entered its state at `now`.
fn touch(path: &Path, now: DateTime<Utc>) -> Result<(), KeyError> {
    File::open(path)
        .and_then(|file| file.set_modified(SystemTime::from(now)))
        .map_err(|source| KeyError::Unwritable {
            path: path.to_owned(),
            source,
        })
}
