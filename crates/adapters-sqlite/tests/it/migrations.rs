use adapters_sqlite::{OpenError, SqliteDatabase, SqliteStorage};
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use domain::role::built_in;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Oldest first.
const ALL: [&str; 2] = [
    "2026-11-22-000001_users_roles_sessions_audit",
    "2026-11-22-000003_replica_leases",
];

#[derive(Debug, PartialEq, QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    sql: String,
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().expect("UTF-8")).expect("a connection")
}

fn schema_of(path: &Path) -> Vec<Part> {
    sql_query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql")
        .load(&mut connect(path))
        .expect("a schema")
}

async fn empty() -> (SqliteDatabase, PathBuf, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("authapi.db");
    let database = SqliteDatabase::open(&path).await.expect("a database");
    (database, path, folder)
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    let (database, path, _folder) = empty().await;
    let bare = schema_of(&path);

    assert_eq!(database.migrate_up().await.expect("up"), ALL);
    let full = schema_of(&path);
    for name in ALL.into_iter().rev() {
        assert_eq!(
            database.migrate_down().await.expect("down").as_deref(),
            Some(name)
        );
    }
    assert_eq!(
        schema_of(&path).len(),
        bare.len() + 1,
        "sqlite_sequence alone stays: SQLite does not let go of it"
    );
    assert_eq!(database.migrate_down().await.expect("down"), None);
    assert_eq!(database.migrate_up().await.expect("up"), ALL);

    assert_eq!(schema_of(&path), full);
    assert!(full.len() > bare.len() + 6);
}

#[tokio::test]
async fn the_status_tells_what_is_applied() {
    let (database, _, _folder) = empty().await;
    for applied in [false, true] {
        let status = database.migration_status().await.expect("a status");
        assert!(
            status.iter().all(|migration| migration.applied == applied),
            "{status:?}"
        );
        assert_eq!(status.first().expect("a migration").name, ALL[0]);
        database.migrate_up().await.expect("up");
    }
}

#[tokio::test]
async fn two_programs_that_migrate_at_once_apply_each_migration_once() {
    let (one, path, _folder) = empty().await;
    let other = SqliteDatabase::open(&path).await.expect("a database");
    let (here, there) = tokio::join!(one.migrate_up(), other.migrate_up());
    let mut applied = here.expect("up");
    applied.extend(there.expect("up"));
    assert_eq!(applied, ALL);
}

#[tokio::test]
async fn the_migrations_write_the_built_in_roles() {
    let (database, _, _folder) = empty().await;
    database.migrate_up().await.expect("up");
    let names = built_in().map(|role| role.name).into();
    let stored = SqliteStorage::new(&database)
        .roles
        .find(&names)
        .await
        .expect("roles");
    assert_eq!(stored, built_in());
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (database, path, _folder) = empty().await;
    database.migrate_up().await.expect("up");
    connect(&path)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .expect("a migration from the future");

    let refused = SqliteDatabase::open(&path).await.err().expect("a refusal");

    assert!(
        matches!(&refused, OpenError::Newer { version, .. } if version == "99990101000000"),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("newer than this program"),
        "{refused}"
    );
}
