//! Secret files: read only while nobody else can get at them, and written whole or not at all.

use super::KeyError;
use crate::OsRandomness;
use domain::ports::Randomness;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// Others may neither read nor write, the group may not write.
const FORBIDDEN_MODE_BITS: u32 = 0o026;
/// Far more than any key; so that a wrong file is not read into memory whole.
const MAX_LENGTH: u64 = 64 * 1024;

/// The contents of a secret file, at most 64 KiB of it.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let unreadable = |source| KeyError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file and not of the path, which may lead elsewhere a moment later.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o7777;
    if mode & FORBIDDEN_MODE_BITS != 0 {
        let path = path.to_owned();
        return Err(KeyError::TooOpen { path, mode });
    }
    // Room for the longest, so that the vector never moves and leaves a copy behind.
    let mut contents = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    file.take(MAX_LENGTH)
        .read_to_end(&mut contents)
        .map_err(unreadable)?;
    Ok(contents)
}

/// Makes `folder`, with mode 0700, unless it is there.
pub fn make_folder(folder: &Path) -> Result<(), KeyError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| KeyError::Unwritable {
            path: folder.to_owned(),
            source,
        })
}

/// Keeps other processes from generating keys in `folder` until the answer is dropped.
pub fn lock_folder(folder: &Path) -> Result<File, KeyError> {
    File::open(folder)
        .and_then(|folder| folder.lock().map(|()| folder))
        .map_err(|source| KeyError::Unwritable {
            path: folder.to_owned(),
            source,
        })
}

/// Writes a new file with mode 0600. After a crash at any moment it is there whole or not at all, and a file that is
/// there already stays as it is ([`KeyError::Exists`]).
pub fn write_secret(folder: &Path, name: &str, contents: &[u8]) -> Result<(), KeyError> {
    let path = folder.join(name);
    let draft = folder.join(format!(".{name}.{:016x}.tmp", draft_number()));
    let written = write_draft(&draft, contents)
        // A link, unlike a renaming, never replaces what is there.
        .and_then(|()| fs::hard_link(&draft, &path));
    // Should this fail, a file is left behind that nothing reads.
    let _ = fs::remove_file(&draft);
    written
        .and_then(|()| File::open(folder)?.sync_all())
        .map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => KeyError::Exists { path },
            _ => KeyError::Unwritable { path, source },
        })
}

fn draft_number() -> u64 {
    let bytes = OsRandomness.bytes();
    u64::from_be_bytes(*bytes.first_chunk().expect("32 bytes begin with 8"))
}

fn write_draft(draft: &Path, contents: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(draft)?;
    file.write_all(contents)?;
    file.sync_all()
}
