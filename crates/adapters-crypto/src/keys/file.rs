//! Secret files: read only if other users cannot access them, and written atomically.

use super::KeyError;
use crate::OsRandomness;
use chrono::{DateTime, Utc};
use domain::ports::Randomness;
use rustix::process::geteuid;
use std::{
    ffi::OsStr,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The mode bits that a secret file must not have: reading or writing by others, and writing by the
/// group.
const FORBIDDEN_MODE_BITS: u32 = 0o026;
/// The mode bits that a key folder must not have, unless it is [`STICKY`]: other users could
/// replace files.
const FORBIDDEN_FOLDER_MODE_BITS: u32 = 0o022;
/// The sticky bit: only their owners and the folder's may rename or remove the files in a folder.
/// Container platforms mount secrets in read-only folders that are world-writable and have this
/// bit. Files that other users could add are rejected for their owner.
const STICKY: u32 = 0o1000;
const ROOT: u32 = 0;
/// The maximum length of a secret file: far longer than any key, so that a wrong file is not read
/// into memory whole.
const MAX_LENGTH: u64 = 64 * 1024;
/// Written by some editors at the start of a file.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads the secret file `name` of at most 64 KiB in `folder`, without a byte order mark. Symbolic
/// links are followed as long as they stay in the folder.
pub fn read_secret(folder: &Path, name: &OsStr) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    read_secret_as(folder, name, geteuid().as_raw())
}

fn read_secret_as(folder: &Path, name: &OsStr, user: u32) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let path = &folder.join(name);
    let unreadable = |source| KeyError::Unreadable {
        path: path.clone(),
        source,
    };
    let file = File::open(follow_links(folder, path, user)?).map_err(unreadable)?;
    // Use the metadata of the open file: the path may lead to another file a moment later.
    let metadata = file.metadata().map_err(unreadable)?;
    check_secret(path, metadata.uid(), metadata.mode() & 0o7777, user)?;
    // Reserve the maximum, so that the vector is never reallocated and leaves no copy of the secret
    // behind.
    let mut contents = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    file.take(MAX_LENGTH + 1)
        .read_to_end(&mut contents)
        .map_err(unreadable)?;
    if contents.len() as u64 > MAX_LENGTH {
        return Err(KeyError::TooLong { path: path.clone() });
    }
    if contents.starts_with(BYTE_ORDER_MARK) {
        contents.drain(..BYTE_ORDER_MARK.len());
    }
    Ok(contents)
}

/// Returns the file that `path` leads to, after all symbolic links. Checks that it is in `folder`,
/// and that other users can replace neither it nor a folder between the two.
fn follow_links(folder: &Path, path: &Path, user: u32) -> Result<PathBuf, KeyError> {
    let resolve = |path: &Path| {
        fs::canonicalize(path).map_err(|source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        })
    };
    let (target, inside) = (resolve(path)?, resolve(folder)?);
    if !target.starts_with(&inside) {
        let path = path.to_owned();
        return Err(KeyError::LeadsOut { path, target });
    }
    let between = target
        .ancestors()
        .skip(1)
        .take_while(|ancestor| *ancestor != inside);
    for ancestor in between {
        check_folder_as(ancestor, user)?;
    }
    Ok(target)
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

/// Returns when a file was last written, or [marked](super::KeyFolder) with the time of a change.
pub fn modified(path: &Path) -> Result<DateTime<Utc>, KeyError> {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    modified
        .map(DateTime::<Utc>::from)
        .map_err(|source| KeyError::Unreadable {
            path: path.to_owned(),
            source,
        })
}

/// Checks that other users cannot replace the files in a folder.
///
/// # Errors
/// Returns [`KeyError::FolderForeign`] if the folder belongs to another user than this one and
/// root, [`KeyError::FolderTooOpen`] if the group or others may write to it,
/// [`KeyError::FolderMissing`] if it does not exist, and [`KeyError::Unreadable`] if its mode
/// cannot be read.
pub fn check_folder(folder: &Path) -> Result<(), KeyError> {
    check_folder_as(folder, geteuid().as_raw())
}

fn check_folder_as(folder: &Path, user: u32) -> Result<(), KeyError> {
    let folder = folder.to_owned();
    match fs::metadata(&folder) {
        Ok(metadata) => {
            let (owner, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            if owner != user && owner != ROOT {
                return Err(KeyError::FolderForeign { folder, owner, user });
            }
            if mode & FORBIDDEN_FOLDER_MODE_BITS != 0 && mode & STICKY == 0 {
                return Err(KeyError::FolderTooOpen { folder, mode });
            }
            Ok(())
        }
        Err(source) if source.kind() == io::ErrorKind::NotFound => Err(KeyError::FolderMissing { folder }),
        Err(source) => Err(KeyError::Unreadable { path: folder, source }),
    }
}

/// Returns the names of the files in `folder`, which must pass [`check_folder`], in any order. No
/// key has a name that is not UTF-8; such names are left out.
pub fn file_names(folder: &Path) -> Result<Vec<String>, KeyError> {
    check_folder(folder)?;
    let failed = |source: io::Error| KeyError::Unreadable {
        path: folder.to_owned(),
        source,
    };
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        names.extend(entry.map_err(failed)?.file_name().into_string());
    }
    Ok(names)
}

/// Creates `folder` with mode 0700. A folder that exists must pass [`check_folder`].
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

/// Keeps other processes from changing keys in `folder` as [`lock_folder`] does, but does not wait.
pub fn try_lock_folder(folder: &Path) -> Result<File, KeyError> {
    let unwritable = |source| KeyError::Unwritable {
        path: folder.to_owned(),
        source,
    };
    let file = File::open(folder).map_err(unwritable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(KeyError::Locked {
            folder: folder.to_owned(),
        }),
        Err(TryLockError::Error(source)) => Err(unwritable(source)),
    }
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
    use std::{
        fs::Permissions,
        os::unix::fs::{PermissionsExt, chown, symlink},
    };
    use tempfile::TempDir;

    const KEY: &str = "refresh.key";

    fn folder() -> TempDir {
        tempfile::tempdir().expect("the folder can be created")
    }

    fn read(folder: &Path) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        read_secret(folder, KEY.as_ref())
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, Permissions::from_mode(mode)).expect("the mode can be set");
    }

    fn link(target: impl AsRef<Path>, path: &Path) {
        symlink(target, path).expect("the link can be created");
    }

    /// Returns the message of a refusal, which is one line.
    fn refusal<T: std::fmt::Debug>(checked: Result<T, KeyError>) -> String {
        let text = checked.expect_err("the check fails").to_string();
        assert!(!text.contains('\n'), "{text}");
        text
    }

    #[test]
    fn a_folder_must_belong_to_this_user_or_root_and_not_be_writable_by_others() {
        let folder = folder();
        let owner = fs::metadata(folder.path()).expect("the folder exists").uid();
        for (mode, is_fine) in [
            (0o700, true),
            (0o755, true),
            (0o2750, true),
            (0o770, false),
            (0o775, false),
            (0o2775, false),
            (0o702, false),
            (0o777, false),
            // A volume of Kubernetes.
            (0o3777, true),
        ] {
            set_mode(folder.path(), mode);
            let checked = check_folder_as(folder.path(), owner);
            assert_eq!(checked.is_ok(), is_fine, "{mode:o}: {checked:?}");
        }
        let path = folder.path().display();
        set_mode(folder.path(), 0o770);
        let text = refusal(check_folder_as(folder.path(), owner));
        assert!(text.contains(&format!("chmod go-w {path}")), "{text}");

        set_mode(folder.path(), 0o700);
        // Only root may change the owner. If another user runs the test, the folder is not root's.
        let _ = chown(folder.path(), Some(4711), None);
        let owner = fs::metadata(folder.path()).expect("the folder exists").uid();
        let text = refusal(check_folder_as(folder.path(), owner + 1));
        assert!(text.contains(&format!("chown {} {path}", owner + 1)), "{text}");
    }

    #[test]
    fn a_link_is_followed_only_within_the_folder() {
        let (folder, outside) = (folder(), folder());
        write_secret(outside.path(), KEY, b"secret").expect("the file can be written");
        let path = folder.path().join(KEY);
        for target in [
            outside.path().join(KEY),
            Path::new("..")
                .join(outside.path().file_name().expect("a name"))
                .join(KEY),
        ] {
            link(&target, &path);
            let text = refusal(read(folder.path()));
            assert!(text.contains("leads out of the key folder"), "{text}");
            assert!(text.contains(&path.display().to_string()), "{text}");
            fs::remove_file(&path).expect("the link exists");
        }

        write_secret(folder.path(), "renamed", b"secret").expect("the file can be written");
        link("renamed", &path);
        assert_eq!(
            read(folder.path()).expect("the link stays inside").as_slice(),
            b"secret"
        );
        let elsewhere = outside.path().join("linked-folder");
        link(folder.path(), &elsewhere);
        assert!(read(&elsewhere).is_ok(), "the folder itself may be a link");
    }

    #[test]
    fn a_secret_that_kubernetes_mounts_is_read_through_its_links() {
        let volume = folder();
        let version = volume.path().join("..2026_11_28_10_00_00.123456789");
        fs::create_dir(&version).expect("the folder can be created");
        write_secret(&version, KEY, b"secret").expect("the file can be written");
        set_mode(&version.join(KEY), 0o440);
        link(
            version.file_name().expect("a name"),
            &volume.path().join("..data"),
        );
        link(Path::new("..data").join(KEY), &volume.path().join(KEY));
        set_mode(volume.path(), 0o3777);
        set_mode(&version, 0o2755);

        check_folder(volume.path()).expect("the volume is safe");
        assert_eq!(
            read(volume.path()).expect("the file is safe").as_slice(),
            b"secret"
        );

        set_mode(&version, 0o2775);
        assert!(matches!(read(volume.path()), Err(KeyError::FolderTooOpen { .. })));
    }

    #[test]
    fn a_file_that_is_too_long_is_rejected_and_not_truncated() {
        let folder = folder();
        for (length, is_fine) in [(64 * 1024, true), (64 * 1024 + 1, false)] {
            let _ = fs::remove_file(folder.path().join(KEY));
            write_secret(folder.path(), KEY, &vec![b'A'; length]).expect("the file can be written");
            match read(folder.path()) {
                Ok(contents) => assert!(is_fine && contents.len() == length),
                Err(error) => assert!(!is_fine && error.to_string().contains("64 KiB"), "{error}"),
            }
        }
    }

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
        let folder = folder();
        write_secret(folder.path(), KEY, b"secret").expect("the file can be written");
        let path = folder.path().join(KEY);
        // Only root may change the owner. If another user runs the test, it checks with another
        // user id instead.
        let _ = chown(&path, Some(4711), None);
        let owner = fs::metadata(&path).expect("the file exists").uid();

        let read_as = |user| read_secret_as(folder.path(), KEY.as_ref(), user);
        assert!(read_as(owner).is_ok());
        let text = refusal(read_as(owner + 1));
        assert!(
            text.contains(&format!("chown {} {}", owner + 1, path.display())),
            "{text}"
        );
    }
}
