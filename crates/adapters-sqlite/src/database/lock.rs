//! The lock that allows one server for each file: a second one would miss revocations of the first.

use super::opening::{OpenError, make_folder_of};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// Maximum number of symbolic links that lead to a file, as on Linux.
const MAX_LINKS: usize = 40;

/// The right to serve a database. Released when it is dropped or the process ends for any reason.
///
/// The command line does not take it, because it may run at the same time as a server.
#[derive(Debug)]
pub struct ServerLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl ServerLock {
    /// Locks the file `<database>.lock`. Creates the file and its folder if they are missing. All
    /// symbolic links to a database have the lock of the file that they lead to.
    ///
    /// # Errors
    /// [`OpenError::Served`] if another server holds the lock, and the errors of files and folders.
    pub fn take(database: &Path) -> Result<Self, OpenError> {
        make_folder_of(database)?;
        let path = lock_file_of(database);
        let unwritable = |source| OpenError::Unwritable {
            path: path.clone(),
            source,
        };
        let file = open_lock_file(&path).map_err(unwritable)?;
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(TryLockError::WouldBlock) => Err(OpenError::Served { lock: path }),
            Err(TryLockError::Error(source)) => Err(unwritable(source)),
        }
    }
}

/// Opens the lock file for this user alone: any user who can open it could lock it and so prevent
/// the server from starting.
fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // Older versions created it readable by all users. The mode of another user's file cannot be
    // changed.
    #[cfg(unix)]
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(file)
}

fn lock_file_of(database: &Path) -> PathBuf {
    let mut path = without_links(database).into_os_string();
    path.push(".lock");
    path.into()
}

/// Returns the file that `path` leads to, which may be missing. SQLite, too, creates its journal
/// next to that file. Links to folders are not followed: they lead to one lock file in any case.
fn without_links(path: &Path) -> PathBuf {
    let mut file = path.to_owned();
    for _ in 0..MAX_LINKS {
        let Ok(target) = fs::read_link(&file) else {
            break;
        };
        // An absolute target replaces the folder.
        file = file.parent().unwrap_or(Path::new("")).join(target);
    }
    file
}
