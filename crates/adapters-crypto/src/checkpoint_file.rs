//! The newest checkpoint, kept next to the keys and so outside the database.

use crate::OsRandomness;
use async_trait::async_trait;
use domain::ports::{KeptCheckpoint, PortError, Randomness};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// The name of the file in the key folder.
const NAME: &str = "audit.checkpoint";
/// The maximum length of the file: far longer than a checkpoint.
const MAX_LENGTH: u64 = 64 * 1024;

/// Keeps the newest checkpoint in a file. Its signature protects it from changes.
///
/// The methods MUST be called on a tokio runtime, whose threads for blocking work access the file.
pub struct CheckpointFile {
    folder: PathBuf,
}

impl CheckpointFile {
    /// Creates the keeper of `audit.checkpoint` in the key folder `folder`.
    #[must_use]
    pub fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }
}

#[async_trait]
impl KeptCheckpoint for CheckpointFile {
    async fn load(&self) -> Result<Option<String>, PortError> {
        let path = self.folder.join(NAME);
        blocking(move || read(&path)).await
    }

    async fn keep(&self, note: &str) -> Result<(), PortError> {
        let (folder, note) = (self.folder.clone(), note.to_owned());
        blocking(move || replace(&folder, &note)).await
    }

    async fn forget(&self) -> Result<(), PortError> {
        let path = self.folder.join(NAME);
        blocking(move || remove(&path)).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, PortError> {
    spawn_blocking(work)
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| PortError::Unavailable(error.into()))
}

fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(MAX_LENGTH).read_to_end(&mut bytes)?;
    // Other bytes than text are not a checkpoint, which its reader reports.
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// Removes the file if it exists. On a read-only file system, removing a file that does not exist
/// would fail.
fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Replaces the file by renaming a complete draft over it.
fn replace(folder: &Path, note: &str) -> io::Result<()> {
    let random = OsRandomness.bytes();
    let number = u64::from_be_bytes(*random.first_chunk().expect("32 bytes have a prefix of 8"));
    let draft = folder.join(format!(".{NAME}.{number:016x}.tmp"));
    let replaced = write(&draft, note).and_then(|()| fs::rename(&draft, folder.join(NAME)));
    if replaced.is_err() {
        // If this fails, the draft stays behind; no code reads it.
        let _ = fs::remove_file(&draft);
    }
    replaced
}

fn write(draft: &Path, note: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(note.as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_note_is_kept() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let file = CheckpointFile::new(folder.path());
        assert_eq!(file.load().await.expect("the folder is readable"), None);
        for note in ["one\n", "two\n"] {
            file.keep(note).await.expect("the folder is writable");
            let kept = file.load().await.expect("the file is readable");
            assert_eq!(kept.as_deref(), Some(note));
        }
        let files = fs::read_dir(folder.path())
            .expect("the folder is readable")
            .count();
        assert_eq!(files, 1, "no drafts are left");
        for _ in 0..2 {
            file.forget().await.expect("the folder is writable");
            assert_eq!(file.load().await.expect("the folder is readable"), None);
        }
    }

    #[tokio::test]
    async fn nothing_is_kept_in_a_folder_that_does_not_exist() {
        let parent = tempfile::tempdir().expect("the folder can be created");
        let file = CheckpointFile::new(&parent.path().join("keys"));
        assert_eq!(file.load().await.expect("there is nothing to read"), None);
        let failed = file.keep("one\n").await;
        assert!(matches!(failed, Err(PortError::Unavailable(_))), "{failed:?}");
    }

    #[tokio::test]
    async fn bytes_that_are_not_text_are_returned_and_not_an_error() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        fs::write(folder.path().join(NAME), b"\xff\n").expect("the folder is writable");
        let kept = CheckpointFile::new(folder.path()).load().await;
        assert_eq!(kept.expect("the file is readable").as_deref(), Some("\u{fffd}\n"));
    }
}
