use crate::{SqliteStorage, tables::roles};
use async_trait::async_trait;
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

/// The disk has no room for changes. Reads still work.
#[derive(Debug, Error)]
#[error("the disk is full: {free} bytes are left")]
struct DiskFull {
    free: u64,
}

#[async_trait]
impl StorageHealth for SqliteStorage {
    async fn check(&self) -> Result<(), PortError> {
        let check = async {
            self.database.read(roles::probe).await?;
            check_free_bytes(self.database.room().await?)
        };
        match timeout(TIMEOUT, check).await {
            Ok(result) => result,
            Err(late) => Err(PortError::Unavailable(late.into())),
        }
    }
}

fn check_free_bytes(free: u64) -> Result<(), PortError> {
    if free < MIN_FREE_BYTES {
        return Err(PortError::Unavailable(DiskFull { free }.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SqliteDatabase;
    use std::sync::Arc;

    #[test]
    fn a_full_disk_is_reported_with_the_bytes_left() {
        assert!(check_free_bytes(MIN_FREE_BYTES).is_ok());
        let Err(PortError::Unavailable(cause)) = check_free_bytes(4096) else {
            panic!("the disk is full");
        };
        assert_eq!(cause.to_string(), "the disk is full: 4096 bytes are left");
    }

    #[tokio::test]
    async fn a_database_with_room_is_healthy() {
        let folder = tempfile::tempdir().expect("the folder can be created");
        let database = SqliteDatabase::open(&folder.path().join("db")).await;
        let database = database.expect("the database can be opened");
        database.migrate_up().await.expect("migrating succeeds");
        let storage = SqliteStorage::new(&database, Arc::new(testkit::ToySealer));
        storage.check().await.expect("the disk has room");
    }
}
