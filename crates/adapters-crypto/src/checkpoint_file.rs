//! The newest checkpoint, kept next to the keys and so outside the database.

use crate::OsRandomness;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use domain::ports::{KeptCheckpoint, PortError, Randomness};
use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};
use thiserror::Error;
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

    /// Renames the file if it exists, and returns its new path, which ends in `now`.
    ///
    /// # Errors
    /// Returns [`CheckpointFileError`] if the file cannot be renamed.
    pub fn set_aside(&self, now: DateTime<Utc>) -> Result<Option<PathBuf>, CheckpointFileError> {
        let path = self.folder.join(NAME);
        let aside = self
            .folder
            .join(format!("{NAME}.{}", now.format("%Y%m%dT%H%M%SZ")));
        match rename(&path, &aside) {
            Ok(is_renamed) => Ok(is_renamed.then_some(aside)),
            Err(source) => Err(CheckpointFileError { path, source }),
        }
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, PortError> {
        let folder = self.folder.clone();
        let done = spawn_blocking(move || work(&folder)).await;
        done.map_err(io::Error::other).flatten().map_err(|source| {
            let path = self.folder.join(NAME);
            PortError::Unavailable(Box::new(CheckpointFileError { path, source }))
        })
    }
}

#[async_trait]
impl KeptCheckpoint for CheckpointFile {
    async fn load(&self) -> Result<Option<String>, PortError> {
        self.blocking(|folder| read(&folder.join(NAME))).await
    }

    async fn keep(&self, note: &str) -> Result<(), PortError> {
        let note = note.to_owned();
        self.blocking(move |folder| replace(folder, &note)).await
    }

    async fn kept_at(&self) -> Result<Option<DateTime<Utc>>, PortError> {
        self.blocking(|folder| changed_at(&folder.join(NAME))).await
    }
}

/// The error for a file that cannot be read or written.
#[derive(Debug, Error)]
#[error("{} cannot be used{}", .path.display(), remedy(.source, .path))]
pub struct CheckpointFileError {
    path: PathBuf,
    source: io::Error,
}

fn remedy(error: &io::Error, path: &Path) -> String {
    if error.kind() == io::ErrorKind::PermissionDenied {
        format!(
            "; give it to the user of the service, such as with `chown USER {}`",
            path.display()
        )
    } else {
        String::new()
    }
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

/// Returns when the file was last replaced.
fn changed_at(path: &Path) -> io::Result<Option<DateTime<Utc>>> {
    match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        found => Ok(Some(found?.modified()?.into())),
    }
}

/// Renames the file, and returns whether it existed. On a read-only file system, renaming a file
/// that does not exist would fail.
fn rename(path: &Path, aside: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(_) => fs::rename(path, aside).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
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
        // Not secret. A command that another user ran must not leave a file that the service cannot
        // read.
        .mode(0o644)
        .open(draft)?;
    file.write_all(note.as_bytes())?;
    file.sync_data()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

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
    }

    #[tokio::test]
    async fn the_file_is_readable_by_all_and_has_the_time_of_its_last_note() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let file = CheckpointFile::new(folder.path());
        assert_eq!(file.kept_at().await.expect("the folder is readable"), None);
        file.keep("one\n").await.expect("the folder is writable");
        let kept_at = file.kept_at().await.expect("the file is readable");
        assert!(kept_at.is_some());
        let metadata = fs::metadata(folder.path().join(NAME)).expect("the file exists");
        assert_eq!(metadata.permissions().mode() & 0o400, 0o400);
        assert_eq!(
            metadata.permissions().mode() & 0o133,
            0,
            "no other user may change it"
        );
    }

    #[tokio::test]
    async fn a_file_that_is_set_aside_remains_under_another_name() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let file = CheckpointFile::new(folder.path());
        let now = DateTime::<Utc>::UNIX_EPOCH;
        assert_eq!(file.set_aside(now).expect("there is nothing to rename"), None);
        file.keep("one\n").await.expect("the folder is writable");
        let aside = file.set_aside(now).expect("the folder is writable");
        let expected = folder.path().join("audit.checkpoint.19700101T000000Z");
        assert_eq!(aside.as_ref(), Some(&expected));
        assert_eq!(fs::read_to_string(expected).expect("the file exists"), "one\n");
        assert_eq!(file.load().await.expect("the folder is readable"), None);
    }

    #[tokio::test]
    async fn a_failure_names_the_file() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = folder.path().join(NAME);
        fs::create_dir(&path).expect("the folder is writable");
        let failed = CheckpointFile::new(folder.path()).load().await;
        let Err(PortError::Unavailable(cause)) = failed else {
            panic!("a folder is not a note: {failed:?}");
        };
        let says = cause.to_string();
        assert!(says.contains(&path.display().to_string()), "{says}");
        let denied = CheckpointFileError {
            path,
            source: io::ErrorKind::PermissionDenied.into(),
        };
        assert!(denied.to_string().contains("chown USER"), "{denied}");
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
