use crate::{database::SqliteDatabase, tables::roles};
use async_trait::async_trait;
use domain::ports::{PortError, StorageHealth};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// A file on a disk that hangs would delay the answer for ever.
const TIMEOUT: Duration = Duration::from_millis(900);

/// A disk with less room counts as full: a few commits may still fit. In bytes.
const LEAST_ROOM: u64 = 1024 * 1024;

/// The disk has no room for changes. Reads still work.
#[derive(Debug, Error)]
#[error("the disk is full: {room} bytes are left")]
struct DiskFull {
    room: u64,
}

/// Whether the file can be read, and the disk has room for changes.
pub struct SqliteHealth {
    database: SqliteDatabase,
}

impl SqliteHealth {
    #[must_use]
    pub fn new(database: SqliteDatabase) -> Self {
        Self { database }
    }
}

#[async_trait]
impl StorageHealth for SqliteHealth {
    async fn check(&self) -> Result<(), PortError> {
        let asked = async {
            self.database.read(roles::probe).await?;
            check_room(self.database.room().await?)
        };
        match timeout(TIMEOUT, asked).await {
            Ok(answer) => answer,
            Err(late) => Err(PortError::Unavailable(late.into())),
        }
    }
}

fn check_room(room: u64) -> Result<(), PortError> {
    if room < LEAST_ROOM {
        return Err(PortError::Unavailable(DiskFull { room }.into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_reported_with_the_bytes_left() {
        assert!(check_room(LEAST_ROOM).is_ok());
        let Err(PortError::Unavailable(cause)) = check_room(4096) else {
            panic!("it is full");
        };
        assert_eq!(cause.to_string(), "the disk is full: 4096 bytes are left");
    }

    #[tokio::test]
    async fn a_database_with_room_is_healthy() {
        let folder = tempfile::tempdir().expect("a folder");
        let database = SqliteDatabase::open(&folder.path().join("db")).await;
        let database = database.expect("a database");
        database.migrate_up().await.expect("a schema");
        SqliteHealth::new(database).check().await.expect("room");
    }
}
