use crate::{SqliteDatabase, schema::roles};
use async_trait::async_trait;
use diesel::{QueryDsl, RunQueryDsl};
use domain::ports::{PortError, StorageHealth};
use std::time::Duration;
use thiserror::Error;
use tokio::time::timeout;

/// A file on a disk that hangs would keep the answer back for ever.
const TIMEOUT: Duration = Duration::from_millis(900);

/// A disk with less room is full: a few commits may still fit, and then none does. In bytes.
const LEAST_ROOM: u64 = 1024 * 1024;

/// Nothing can be changed any more, or soon. Reading goes on.
#[derive(Debug, Error)]
#[error("the disk is full: {room} bytes are left")]
struct DiskFull {
    room: u64,
}

/// Whether the file answers, and there is room for what is to be written.
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
            // From a table that is always there, so that the file is read and the schema with it.
            let read = self.database.read(|conn| {
                let names = roles::table.select(roles::name).limit(1);
                Ok(names.load::<String>(conn)?)
            });
            read.await?;
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
    fn a_full_disk_is_told_with_what_is_left() {
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
