//! Preparing a database file for use, and the reasons why it cannot be used.

use super::connections::{PRAGMAS, open, transaction};
use crate::{error::StorageError, migrations};
use diesel::{connection::SimpleConnection, result::Error as DieselError};
use std::{
    error::Error as StdError,
    fs::{DirBuilder, File, OpenOptions},
    io,
    path::{Path, PathBuf},
};
use thiserror::Error;

/// Enables the write-ahead log. The file stores this setting. With it, readers and the writer do
/// not wait for each other, and every statement sees what was committed before it started.
const USE_WAL: &str = "PRAGMA journal_mode = WAL;";

/// The mode bits that allow other users to read or write a file.
#[cfg(unix)]
const OTHERS_READ_OR_WRITE: u32 = 0o006;

/// Why a database cannot be opened. Each message says what is wrong and how to fix it.
#[derive(Debug, Error)]
pub enum OpenError {
    #[error("cannot create the folder {path}: choose another one, or grant this user write access")]
    Folder { path: PathBuf, source: io::Error },
    #[error("cannot write {path}: grant this user write access to the file and its folder")]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{path} is not an authapi database: choose another file, or move this one")]
    NotADatabase {
        path: PathBuf,
        source: Box<dyn StdError + Send + Sync>,
    },
    #[error("{path} is newer than this program (it has migration {version}): use the program that wrote it")]
    Newer { path: PathBuf, version: String },
    #[error("another server is using this database ({lock} is locked): stop it, or choose another file")]
    Served { lock: PathBuf },
    #[error("{path} is being written by another process: try again")]
    Busy { path: PathBuf },
    #[error("cannot open the database {path}")]
    Failed {
        path: PathBuf,
        source: Box<dyn StdError + Send + Sync>,
    },
}

/// Returns the absolute path, so that SQLite treats `file:..` as a file name.
pub fn url_of(path: &Path) -> io::Result<String> {
    std::path::absolute(path)?
        .into_os_string()
        .into_string()
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidFilename, "the path is not UTF-8"))
}

/// Creates what is missing and checks everything that would make a server fail later.
pub fn prepare(path: &Path, url: &str) -> Result<(), OpenError> {
    make_folder_of(path)?;
    make_file(path)?;
    match check(url) {
        Ok(None) => Ok(()),
        Ok(Some(version)) => Err(OpenError::Newer {
            path: path.to_owned(),
            version,
        }),
        Err(error) => Err(explain(path, error)),
    }
}

/// Returns the first version in the database that this program does not know. Takes the write lock,
/// so that everything a server needs is checked.
fn check(url: &str) -> Result<Option<String>, StorageError> {
    let mut conn = open(url, PRAGMAS)?;
    conn.batch_execute(USE_WAL)?;
    transaction(&mut conn, migrations::unknown_version)
}

/// Creates the folder of `file`, accessible by this user alone: SQLite creates files next to the
/// database.
pub fn make_folder_of(file: &Path) -> Result<(), OpenError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match file.parent() {
        Some(folder) => builder.create(folder).map_err(|source| OpenError::Folder {
            path: folder.to_owned(),
            source,
        }),
        None => Ok(()),
    }
}

/// Creates an empty file, which is an empty database. SQLite would create it readable by all users.
fn make_file(path: &Path) -> Result<(), OpenError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let opened = options.open(path).and_then(|file| warn_if_exposed(path, &file));
    opened.map_err(|source| OpenError::Unwritable {
        path: path.to_owned(),
        source,
    })
}

/// Warns about a file that other users can access. It may be intended, so the file is used anyway.
#[cfg(unix)]
fn warn_if_exposed(path: &Path, file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata()?.permissions().mode() & 0o7777;
    if mode & OTHERS_READ_OR_WRITE != 0 {
        let path = path.display();
        tracing::warn!(
            "other users can access the database {path} (mode {mode:04o}): run `chmod 600 {path}`"
        );
    }
    Ok(())
}

#[cfg(not(unix))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "there are no modes here, so nothing can fail"
)]
fn warn_if_exposed(_: &Path, _: &File) -> io::Result<()> {
    Ok(())
}

/// Turns an error of SQLite into one that says how to fix it. diesel keeps the text of an error and
/// drops its code.
fn explain(path: &Path, error: StorageError) -> OpenError {
    let path = path.to_owned();
    let source = match error {
        StorageError::Busy => return OpenError::Busy { path },
        StorageError::Statement(source) => source,
        StorageError::Row { .. } => error.into(),
    };
    let text = match source.downcast_ref() {
        Some(DieselError::DatabaseError(_, information)) => information.message(),
        _ => "",
    };
    match text {
        "file is not a database" => OpenError::NotADatabase { path, source },
        // SQLite creates the journal in the folder of the file.
        "unable to open database file" | "attempt to write a readonly database" => OpenError::Unwritable {
            path,
            source: io::Error::other(source),
        },
        _ => OpenError::Failed { path, source },
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::{
        fs::{self, Permissions},
        io::Write,
        os::unix::fs::PermissionsExt,
        sync::{Arc, Mutex},
    };
    use tracing::subscriber::with_default;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("the lock is not poisoned").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Returns what is logged while the file is opened.
    fn log_of(path: &Path) -> String {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        with_default(subscriber, || make_file(path).expect("the file can be created"));
        let bytes = log.0.lock().expect("the lock is not poisoned").clone();
        String::from_utf8(bytes).expect("the output is UTF-8")
    }

    #[test]
    fn a_database_that_others_can_access_is_used_with_a_warning_that_says_how_to_fix_it() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let path = folder.path().join("authapi.db");
        assert_eq!(log_of(&path), "", "only its owner can access a new file");
        for (mode, is_exposed) in [
            (0o600, false),
            (0o660, false),
            (0o601, false),
            (0o644, true),
            (0o602, true),
            (0o666, true),
        ] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("the mode can be set");
            let log = log_of(&path);
            let mend = format!("(mode {mode:04o}): run `chmod 600 {}`", path.display());
            assert_eq!(log.contains(&mend), is_exposed, "{mode:o}: {log}");
            assert_eq!(log.lines().count(), usize::from(is_exposed), "{log}");
        }
    }
}
