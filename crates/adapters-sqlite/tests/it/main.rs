//! The storage contract on a real file, and tests specific to SQLite.

mod crowd;
#[path = "../../../../tools/testkit/tests/it/escalation.rs"]
mod escalation;
mod importing;
mod leases;
mod migrations;
mod opening;
mod replays;
mod sharing;
mod tampering;

use adapters_sqlite::{SqliteDatabase, SqliteStorage};
use chrono::{DateTime, Utc};
use diesel::{Connection, SqliteConnection};
use domain::{
    changes::{ChangeError, RegisterUser},
    ports::{KeyUses, Replicas},
    user::{NewUser, User},
};
use std::{path::Path, sync::Arc, time::Duration};
use tempfile::TempDir;
use testkit::{Storage, ToySealer, contract::replica_leases::FreshLeases, fixtures::context};

testkit::storage_contract!(super::fresh);
testkit::replica_leases_contract!(super::fresh_leases);
testkit::replicas_contract!(super::fresh_replicas);
testkit::key_uses_contract!(super::fresh_key_uses);

/// A write is rejected within a second while another program writes. The rest is for a busy
/// machine: without a limit, a write would wait until the other program ends its transaction.
const IN_TIME: Duration = Duration::from_secs(20);
/// How many sequences of calls are tried that might lead to more rights. Each has its own database.
const ESCALATIONS: u32 = 32;

async fn fresh() -> (Storage, TempDir) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let storage = storage_in(folder.path()).await;
    (storage, folder)
}

/// Opens one database as a server and as the command line, for the contract of leases.
async fn fresh_leases() -> (FreshLeases, TempDir) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("authapi.db");
    let server = SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    server.migrate_up().await.expect("migrating succeeds");
    let command_line = SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    let fresh = FreshLeases {
        leases: Arc::new(SqliteStorage::new(&server, Arc::new(ToySealer))),
        other: Arc::new(SqliteStorage::new(&command_line, Arc::new(ToySealer))),
    };
    (fresh, folder)
}

async fn fresh_replicas() -> (Arc<dyn Replicas>, TempDir) {
    let (storage, folder) = fresh_adapter().await;
    (storage, folder)
}

async fn fresh_key_uses() -> (Arc<dyn KeyUses>, TempDir) {
    let (storage, folder) = fresh_adapter().await;
    (storage, folder)
}

async fn fresh_adapter() -> (Arc<SqliteStorage>, TempDir) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let database = SqliteDatabase::open(&folder.path().join("authapi.db")).await;
    let database = database.expect("the database can be opened");
    database.migrate_up().await.expect("migrating succeeds");
    (
        Arc::new(SqliteStorage::new(&database, Arc::new(ToySealer))),
        folder,
    )
}

/// Opens storage in `<folder>/authapi.db` with the current schema.
async fn storage_in(folder: &Path) -> Storage {
    let database = SqliteDatabase::open(&folder.join("authapi.db"))
        .await
        .expect("the database can be opened");
    database.migrate_up().await.expect("migrating succeeds");
    storage_over(&database)
}

fn storage_over(database: &SqliteDatabase) -> Storage {
    Storage::over(&Arc::new(SqliteStorage::new(database, Arc::new(ToySealer))))
}

/// Stores `user` at `at`.
async fn register(storage: &Storage, user: NewUser, at: DateTime<Utc>) -> Result<User, ChangeError> {
    let command = Arc::new(RegisterUser(user));
    let applied = storage.accounts.execute(command, context(at)).await?;
    Ok(applied.into_user()?)
}

/// Opens another connection to the database that [`storage_in`] created.
fn connect(folder: &Path) -> SqliteConnection {
    let path = folder.join("authapi.db");
    SqliteConnection::establish(path.to_str().expect("the path is UTF-8"))
        .expect("the database accepts connections")
}
