use super::refresh_keys::is_refresh_key;
use std::{
    ffi::OsString,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt,
    path::Path,
};

/// What a look at a key folder, without reading its files, shows. Two states of a folder are equal
/// unless keys were added, removed, renamed or replaced, or access to them changed.
///
/// Links are followed, so a Kubernetes secret that is replaced changes the state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderState {
    folder: Option<FileState>,
    /// By name.
    files: Vec<(OsString, Option<FileState>)>,
}

/// The metadata of a file that change if it is replaced or written, or access to it changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FileState {
    device: u64,
    inode: u64,
    length: u64,
    mode: u32,
    owner: u32,
    modified: (i64, i64),
}

impl FolderState {
    /// Looks at `folder`. A folder or a file that cannot be read is a state as well.
    #[must_use]
    pub fn of(folder: &Path) -> Self {
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let keys = entries.filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.ends_with(".pem") || is_refresh_key(&name)
        });
        let mut files: Vec<_> = keys
            .map(|entry| (entry.file_name(), state_of(&entry.path())))
            .collect();
        files.sort_unstable();
        Self {
            // The folder's own times also change with files that are no keys.
            folder: state_of(folder).map(|state| FileState {
                length: 0,
                modified: (0, 0),
                ..state
            }),
            files,
        }
    }
}

fn state_of(path: &Path) -> Option<FileState> {
    fs::metadata(path).ok().map(|metadata| FileState::from(&metadata))
}

impl From<&Metadata> for FileState {
    fn from(metadata: &Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            length: metadata.len(),
            mode: metadata.mode(),
            owner: metadata.uid(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        }
    }
}
