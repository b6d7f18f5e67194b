//! One server for a file: a second one would not hear of the first one's revocations.

use crate::database::OpenError;
use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// The right to serve a database, held until it is dropped or the process ends, however it ends.
///
/// The command line does without it: it may work beside a server.
#[derive(Debug)]
pub struct ServerLock(#[expect(dead_code, reason = "the lock lives as long as the open file")] File);

impl ServerLock {
    /// Locks the file `<database>.lock`, and makes it and its folder first where they are missing.
    ///
    /// # Errors
    /// [`OpenError::Served`] when another server holds the lock, and the errors of files and folders.
    pub fn take(database: &Path) -> Result<Self, OpenError> {
        crate::database::make_folder_of(database)?;
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

/// For this user alone: whoever may open the file may lock it, and so keep the server from starting.
fn open_lock_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    // Older versions made it for everybody to read. Somebody else's file stays as it is.
    #[cfg(unix)]
    let _ = file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600));
    Ok(file)
}

fn lock_file_of(database: &Path) -> PathBuf {
    let mut path = OsString::from(database);
    path.push(".lock");
    path.into()
}
