use super::{
    BreachedFileError,
    hash_file::{HashFile, Identity},
};
use std::{
    error::Error,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often the path is examined at most.
const INTERVAL: Duration = Duration::from_secs(1);

/// The file of hashes at a path, opened again when another one is there.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    open: Arc<HashFile>,
    examined_at: Instant,
    /// The file at the path, if its contents cannot be used. It is not read again until it changes.
    rejected: Option<Identity>,
    /// Whether the last examination failed, which was then logged.
    is_failing: bool,
}

impl WatchedFile {
    /// Opens the file at `path`.
    pub fn open(path: PathBuf, now: Instant) -> Result<Self, BreachedFileError> {
        let state = State {
            open: Arc::new(HashFile::open(&path)?),
            examined_at: now,
            rejected: None,
            is_failing: false,
        };
        Ok(Self {
            path,
            state: Mutex::new(state),
        })
    }

    /// Returns the file to search at `now`: the one at the path, or the last usable one.
    pub fn current(&self, now: Instant) -> Arc<HashFile> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(state.examined_at) >= INTERVAL {
            state.examined_at = now;
            self.examine(&mut state);
        }
        Arc::clone(&state.open)
    }

    fn examine(&self, state: &mut State) {
        let found = HashFile::identity_at(&self.path).ok();
        if found == Some(state.open.identity()) {
            (state.rejected, state.is_failing) = (None, false);
            return;
        }
        if found.is_some() && found == state.rejected {
            return;
        }
        match HashFile::open(&self.path) {
            Ok(file) => {
                tracing::info!(path = %self.path.display(), "opened the new file of breached passwords");
                state.open = Arc::new(file);
                (state.rejected, state.is_failing) = (None, false);
            }
            Err(error) => {
                if !state.is_failing {
                    warn(&error);
                }
                // Only a change of the file corrects its contents; permissions leave no trace in
                // the identity.
                let is_unreadable = matches!(error, BreachedFileError::Unreadable { .. });
                state.rejected = found.filter(|_| !is_unreadable);
                state.is_failing = true;
            }
        }
    }
}

fn warn(error: &BreachedFileError) {
    tracing::warn!(
        error = error as &dyn Error,
        "the file of breached passwords has changed and cannot be used; its predecessor stays in use"
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::breached_file::sha1;
    use data_encoding::HEXUPPER;
    use std::{fs, path::Path};
    use tempfile::TempDir;

    /// Replaces the file at `path` by a list of `passwords`, as a download does.
    fn replace(path: &Path, passwords: &[&str]) {
        let mut lines: Vec<_> = passwords
            .iter()
            .map(|text| HEXUPPER.encode(&sha1(text)) + ":1\n")
            .collect();
        lines.sort();
        replace_text(path, &lines.concat());
    }

    fn replace_text(path: &Path, text: &str) {
        let new = path.with_extension("new");
        fs::write(&new, text).expect("the file can be written");
        fs::rename(&new, path).expect("the file can be renamed");
    }

    fn watched() -> (TempDir, PathBuf, WatchedFile, Instant) {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = folder.path().join("breached.txt");
        replace(&path, &["old"]);
        let start = Instant::now();
        let file = WatchedFile::open(path.clone(), start).expect("the file can be used");
        (folder, path, file, start)
    }

    fn lists(file: &WatchedFile, text: &str, now: Instant) -> bool {
        file.current(now)
            .contains(&sha1(text))
            .expect("the file can be read")
    }

    #[test]
    fn a_replaced_file_is_used_after_a_second() {
        let (_folder, path, file, start) = watched();
        replace(&path, &["new", "newer"]);
        assert!(lists(&file, "old", start + INTERVAL / 2));
        assert!(lists(&file, "new", start + INTERVAL));
        assert!(!lists(&file, "old", start + INTERVAL));
    }

    #[test]
    fn the_last_usable_file_stays_in_use_while_the_path_has_none_and_a_later_one_replaces_it() {
        let (_folder, path, file, start) = watched();
        fs::remove_file(&path).expect("the file can be removed");
        assert!(lists(&file, "old", start + INTERVAL));
        assert!(state(&file, |state| state.is_failing && state.rejected.is_none()));
        replace_text(&path, "not a hash\n");
        assert!(lists(&file, "old", start + INTERVAL * 2));
        assert!(state(&file, |state| state.is_failing && state.rejected.is_some()));
        assert!(lists(&file, "old", start + INTERVAL * 3));
        replace(&path, &["new"]);
        assert!(lists(&file, "new", start + INTERVAL * 4));
        assert!(state(&file, |state| !state.is_failing && state.rejected.is_none()));
    }

    fn state(file: &WatchedFile, check: impl FnOnce(&State) -> bool) -> bool {
        check(&file.state.lock().expect("no test panics while it holds the lock"))
    }
}
