//! Secret files: read only while nobody else can get at them, and written whole or not at all.

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

/// Others may neither read nor write, the group may not write.
const FORBIDDEN_MODE_BITS: u32 = 0o026;
/// Others may not add files to a folder nor put their own in place of those in it.
const OTHERS_MAY_WRITE: u32 = 0o002;
/// In a folder with this bit, files are renamed and removed by their owners alone. Container platforms mount secrets in
/// folders that everybody may write to, with this bit and read-only.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;
/// Far more than any key; so that a wrong file is not read into memory whole.
const MAX_LENGTH: u64 = 64 * 1024;

/// The contents of a secret file, at most 64 KiB of it.
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read_secret_as(path, geteuid().as_raw())
}

fn read_secret_as(path: &Path, user: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let unreadable = |source| KeyError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(unreadable)?;
    // Asked of the open file and not of the path, which may lead elsewhere a moment later.
    let metadata = file.metadata().map_err(unreadable)?;
    check_secret(path, metadata.uid(), metadata.mode() & 0o7777, user)?;
    // Room for the longest, so that the vector never moves and leaves a copy behind.
    let mut contents = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    file.take(MAX_LENGTH)
        .read_to_end(&mut contents)
        .map_err(unreadable)?;
    Ok(contents)
}

/// A secret file must be out of reach of everybody but `user` and root: what belongs to another, another may open to all.
fn check_secret(path: &Path, owner: u32, mode: u32, user: u32) -> Result<(), KeyError> {
    let path = path.to_owned();
    if owner != user && owner != ROOT {
        return Err(KeyError::Foreign { path, owner, user });
    }
    if mode & FORBIDDEN_MODE_BITS != 0 {
        return Err(KeyError::TooOpen { path, mode });
    }
    Ok(())
}

/// Refuses a folder in which others may put their own files in place of those that are there.
///
/// # Errors
/// [`KeyError::FolderTooOpen`], [`KeyError::FolderMissing`], [`KeyError::Unreadable`].
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

/// Makes `folder`, with mode 0700, unless it is there; then others must not be able to write to it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::chown;

    #[test]
    fn a_secret_belongs_to_this_user_or_to_root_and_is_closed_to_others() {
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
            "root trusts nobody else"
        );
    }

    #[test]
    fn a_file_of_another_user_is_not_read_and_the_mend_is_told() {
        let folder = tempfile::tempdir().expect("a folder");
        write_secret(folder.path(), "refresh.key", b"secret").expect("a file");
        let path = folder.path().join("refresh.key");
        // Root may give it away; whoever else runs this looks at it with another's eyes instead.
        let _ = chown(&path, Some(4711), None);
        let owner = fs::metadata(&path).expect("a file").uid();

        assert!(read_secret_as(&path, owner).is_ok());
        let text = read_secret_as(&path, owner + 1)
            .expect_err("a refusal")
            .to_string();
        assert!(
            text.contains(&format!("chown {} {}", owner + 1, path.display())),
            "{text}"
        );
        assert!(!text.contains('\n'), "{text}");
    }
}
