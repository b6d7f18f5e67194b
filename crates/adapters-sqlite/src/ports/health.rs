use crate::{SqliteStorage, database::Disk, tables::roles};
use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use domain::ports::{PortError, StorageHealth};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// The time limit of the check. Without it, a file on a hanging disk would delay the result
/// forever.
const TIMEOUT: Duration = Duration::from_millis(900);

/// The minimum number of free bytes. With fewer, the disk counts as full, although a few commits
/// may still fit.
const MIN_FREE_BYTES: u64 = 1024 * 1024;

/// Takes the write lock and changes nothing, so nothing is written to the disk. Fails if SQLite
/// could open the file for reading only.
const WRITE: &str = "DELETE FROM sessions WHERE false";

/// The disk does not accept changes. Reads still work.
#[derive(Debug, Error)]
enum DiskUnwritable {
    #[error("the disk is full: {free} bytes are left")]
    Full { free: u64 },
    #[error("the disk is mounted read-only")]
    ReadOnly,
}

#[async_trait]
impl StorageHealth for SqliteStorage {
    async fn check(&self) -> Result<(), PortError> {
        let check = async {
            self.database.read(roles::probe).await?;
            check_disk(self.database.disk().await?)?;
            self.database.write(|conn| Ok(conn.batch_execute(WRITE)?)).await
        };
        match timeout(TIMEOUT, check).await {
            Ok(result) => result,
            Err(late) => Err(PortError::Unavailable(late.into())),
        }
    }
}

fn check_disk(disk: Disk) -> Result<(), PortError> {
    let unwritable = match disk {
        Disk {
            is_read_only: true, ..
        } => DiskUnwritable::ReadOnly,
        Disk { free, .. } if free < MIN_FREE_BYTES => DiskUnwritable::Full { free },
        Disk { .. } => return Ok(()),
    };
    Err(PortError::Unavailable(unwritable.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteDatabase;
    use std::{error::Error, iter::successors, sync::Arc};
    use tempfile::TempDir;

    #[test]
    fn a_disk_that_is_full_or_read_only_is_reported() {
        let disk = |free, is_read_only| Disk { free, is_read_only };
        assert!(check_disk(disk(MIN_FREE_BYTES, false)).is_ok());
        for (disk, expected) in [
            (disk(4096, false), "the disk is full: 4096 bytes are left"),
            (disk(u64::MAX, true), "the disk is mounted read-only"),
        ] {
            let Err(PortError::Unavailable(cause)) = check_disk(disk) else {
                panic!("{disk:?} is not writable");
            };
            assert_eq!(cause.to_string(), expected);
        }
    }

    async fn open(folder: &TempDir) -> SqliteDatabase {
        let database = SqliteDatabase::open(&folder.path().join("db")).await;
        let database = database.expect("a database");
        database.migrate_up().await.expect("a schema");
        database
    }

    #[tokio::test]
    async fn a_database_is_healthy_until_its_file_becomes_read_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = open(&folder).await;
        let storage = SqliteStorage::new(&database, Arc::new(testkit::ToySealer));
        storage.check().await.expect("a file that can be written");

        // SQLite reports the same error for a file that it could only open for reading.
        let read_only = database.write(|conn| Ok(conn.batch_execute("PRAGMA query_only = ON")?));
        read_only.await.expect("a setting of the connection");

        let Err(PortError::Unavailable(cause)) = storage.check().await else {
            panic!("no login can be stored");
        };
        let causes = successors(Some(&*cause as &(dyn Error + 'static)), |&error| error.source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        assert!(causes.iter().any(|it| it.contains("readonly")), "{causes:?}");
    }
}
