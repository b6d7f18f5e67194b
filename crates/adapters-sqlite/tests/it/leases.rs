//! Leases of servers that crashed, and of servers that run.

use crate::connect;
use adapters_sqlite::{OpenError, SqliteDatabase, SqliteStorage};
use diesel::{QueryableByName, RunQueryDsl, sql_query, sql_types::BigInt};
use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::{LeaseId, ReplicaId},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use testkit::ToySealer;
use uuid::Uuid;

const LEASE: LeaseId = LeaseId {
    replica: ReplicaId(Uuid::from_u128(7)),
    number: 1,
};

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

fn place() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("authapi.db");
    (folder, path)
}

/// Opens the database as a server with the current schema.
async fn started(path: &Path) -> SqliteStorage {
    let database = SqliteDatabase::open_as_server(path)
        .await
        .expect("the database has no other server");
    database.migrate_up().await.expect("migrating succeeds");
    SqliteStorage::new(&database, Arc::new(ToySealer))
}

/// Opens the database as a server that acquires [`LEASE`].
async fn serving(path: &Path) -> SqliteStorage {
    let server = started(path).await;
    server.acquire(LEASE).await.expect("the lease is new");
    server
}

/// Returns the number of stored leases, whether or not they have expired meanwhile.
fn stored(folder: &TempDir) -> i64 {
    let counted: Count = sql_query("SELECT count(*) AS count FROM replica_leases")
        .get_result(&mut connect(folder.path()))
        .expect("the leases can be counted");
    counted.count
}

#[tokio::test]
async fn a_starting_server_removes_the_lease_of_a_server_that_crashed() {
    let (folder, path) = place();
    drop(serving(&path).await);
    assert_eq!(stored(&folder), 1, "a crashed server releases nothing");

    let next = started(&path).await;

    assert_eq!(stored(&folder), 0);
    let renewed = next.renew(LEASE).await.expect("the leases are available");
    assert_eq!(renewed, Renewal::Refused);
}

#[tokio::test]
async fn programs_beside_a_server_do_not_remove_its_lease() {
    let (folder, path) = place();
    let server = serving(&path).await;

    let command_line = SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    command_line.migrate_up().await.expect("migrating succeeds");
    let refused = SqliteDatabase::open_as_server(&path).await.err();

    let is_refused = matches!(refused, Some(OpenError::Served { .. }));
    assert!(is_refused, "{refused:?}");
    assert_eq!(stored(&folder), 1);
    drop(server);
}

#[tokio::test]
async fn a_server_holds_its_lock_until_no_part_of_it_can_use_the_database() {
    let (_folder, path) = place();
    let server = started(&path).await;
    let port: Arc<dyn ReplicaLeases> = Arc::new(server.clone());
    drop(server);
    let refused = SqliteDatabase::open_as_server(&path).await.err();
    assert!(matches!(refused, Some(OpenError::Served { .. })), "{refused:?}");

    drop(port);
    started(&path).await;
}

#[tokio::test]
async fn a_database_without_a_schema_has_no_leases_to_remove() {
    let (_folder, path) = place();
    let opened = SqliteDatabase::open_as_server(&path).await;
    assert!(opened.is_ok(), "{:?}", opened.err());
}
