//! Secret files: read only if other users cannot access them, and written atomically.

use super::KeyError;
use crate::OsRandomness;
use domain::ports::Randomness;
use rustix::process::geteuid;
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::Path,
};
use zeroize::Zeroizing;

/// The mode bits that a secret file must not have: reading or writing by others, and writing by the
/// group.
const FORBIDDEN_MODE_BITS: u32 = 0o026;
/// The mode bit that a key folder must not have, unless it is [`STICKY`]: others could add files or
/// replace them.
const OTHERS_MAY_WRITE: u32 = 0o002;
/// The sticky bit: only their owners may rename or remove the files in a folder. Container
/// platforms mount secrets in read-only folders that are world-writable and have this bit.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;
/// The maximum length of a secret file: far longer than any key, so that a wrong file is not read
/// into memory whole.
const MAX_LENGTH: u64 = 64 * 1024;
/// Written by some editors at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a secret file of at most 64 KiB, without a byte order mark.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read_secret_as(path, geteuid().as_raw())
}

fn read_secret_as(path: &Path, user: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let unreadable = |source| KeyError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    // Use the metadata of the open file: the path may lead to another file a moment later.
    let metadata = file.metadata().map_err(unreadable)?;
    check_secret(path, metadata.uid(), metadata.mode() & 0o7777, user)?;
    // Reserve the maximum, so that the vector is never reallocated and leaves no copy of the secret
    // behind.
    let mut contents = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    file.take(MAX_LENGTH)
        .read_to_end(&mut contents)
        .map_err(unreadable)?;
    if contents.starts_with(BYTE_ORDER_MARK) {
        contents.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(contents)
}

/// Checks that only `user`, root and, for reading, the group can access a secret file. The owner
/// matters because another owner could change the mode.
fn check_secret(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), KeyError> {
    let is_mounted = is_mounted_by_kubernetes(path);
    let path = path.to_owned();
    if owner != user && owner != ROOT {
        return Err(KeyError::Foreign { path, owner, user });
    }
    if mode & FORBIDDEN_MODE_BITS != 0 {
        return Err(KeyError::TooOpen {
            path,
            mode,
            is_mounted,
        });
    }
    Ok(())
}

/// Returns whether `path` is in a volume of Kubernetes, which links the files of a secret through
/// `..data`.
fn is_mounted_by_kubernetes(path: &Path) -> bool {
    fs::symlink_metadata(path.with_file_name("..data")).is_ok()
}

/// Checks that others cannot replace the files in a folder.
///
/// # Errors
/// Returns [`KeyError::FolderTooOpen`] if others may write to the folder,
/// [`KeyError::FolderMissing`] if it does not exist, and [`KeyError::Unreadable`] if its mode
/// cannot be read.
pub fn check_folder(folder: &Path) -> Result<(), KeyError> {
    let folder = folder.to_owned();
    match fs::metadata(&folder) {
        Ok(metadata) => {
            let mode = metadata.mode() & 0o7777;
            if mode & OTHERS_MAY_WRITE != 0 && mode & STICKY == 0 {
                return Err(KeyError::FolderTooOpen { folder, mode });
            }
            Ok(())
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(KeyError::FolderMissing { folder }),
        Err(source) => Err(KeyError::Unreadable { path: folder, source }),
    }
}

/// Creates `folder` with mode 0700. A folder that exists must not be writable by others.
pub fn make_folder(folder: &Path) -> Result<(), KeyError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| KeyError::Unwritable {
            path: folder.to_owned(),
            source,
        })?;
    check_folder(folder)
}

/// Keeps other processes from generating keys in `folder` until the returned file is dropped.
pub fn lock_folder(folder: &Path) -> Result<File, KeyError> {
    File::open(folder)
        .and_then(|folder| folder.lock().map(|()| folder))
        .map_err(|source| KeyError::Unwritable {
            path: folder.to_owned(),
            source,
        })
}

/// Writes a new file with mode 0600. After a crash, the file is either complete or missing. A file
/// that exists is not replaced ([`KeyError::Exists`]).
pub fn write_secret(folder: &Path, name: &str, contents: &[u8]) -> Result<(), KeyError> {
    let path = folder.join(name);
    let draft = folder.join(format!(".{name}.{:016x}.tmp", draft_number()));
    let written = write_draft(&draft, contents)
        // Linking fails if the path exists; renaming would replace the file.
        .and_then(|()| fs::hard_link(&draft, &path));
    // If this fails, the draft stays behind; no code reads it.
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
    u64::from_be_bytes(*bytes.first_chunk().expect("32 bytes have a prefix of 8"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    #[test]
    fn a_secret_file_must_belong_to_this_user_or_root_and_be_inaccessible_to_others() {
        let path = Path::new("x.signing.pem");
        for (owner, mode, is_fine) in [
            (1000, 0o600, true),
            (1000, 0o440, true),
            (0, 0o640, true),
            (1001, 0o600, false),
            (65534, 0o400, false),
            (1000, 0o644, false),
            (0, 0o660, false),
        ] {
            let checked = check_secret(path, owner, mode, 1000);
            assert_eq!(checked.is_ok(), is_fine, "{owner} {mode:o}");
        }
        assert!(
            check_secret(path, 1000, 0o600, 0).is_err(),
            "root must reject files of other users"
        );
    }

    #[test]
    fn a_file_of_another_user_is_rejected_with_the_remedy() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        write_secret(folder.path(), "refresh.key", b"secret").expect("the file can be written");
        let path = folder.path().join("refresh.key");
        // Only root may change the owner. If another user runs the test, it checks with another
        // user id instead.
        let _ = chown(&path, Some(4711), None);
        let owner = fs::metadata(&path).expect("the file exists").uid();

        assert!(read_secret_as(&path, owner).is_ok());
        let text = read_secret_as(&path, owner + 1)
            .expect_err("the file is rejected")
            .to_string();
        assert!(
            text.contains(&format!("chown {} {}", owner + 1, path.display())),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
}
