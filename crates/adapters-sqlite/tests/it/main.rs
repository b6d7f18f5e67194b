//! The storage contract on a real file, and what is SQLite's own.

mod migrations;
mod opening;
mod sharing;

use adapters_sqlite::{SqliteDatabase, SqliteStorage};
use std::path::Path;
use tempfile::TempDir;
use testkit::Storage;

testkit::storage_contract!(super::fresh);

async fn fresh() -> (Storage, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let storage = storage_in(folder.path()).await;
    (storage, folder)
}

/// Storage in `<folder>/authapi.db`, up to date.
async fn storage_in(folder: &Path) -> Storage {
    let database = SqliteDatabase::open(&folder.join("authapi.db"))
        .await
        .expect("a database");
    database.migrate_up().await.expect("a schema");
    let storage = SqliteStorage::new(&database);
    Storage {
        users: storage.users,
        sessions: storage.sessions,
        views: storage.views,
        roles: storage.roles,
        audit: storage.audit,
        health: storage.health,
    }
}
