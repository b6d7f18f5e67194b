use crate::{patient, storage_in};
use adapters_postgres::{ConnectError, PoolSettings, PostgresDatabase};
use diesel::{QueryableByName, sql_query, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::role::built_in;
use testservers::{FreshDatabase, postgres};

/// Oldest first.
const ALL: [&str; 2] = [
    "2026-11-22-000001_users_roles_sessions_audit",
    "2026-11-22-000003_replica_leases",
];

/// Every column, constraint and index of a database, as the server tells them.
const SCHEMA: &str = "
    SELECT format('%s.%s %s %s', table_name, column_name, data_type, collation_name) AS part
        FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
    ORDER BY part";

#[derive(Debug, PartialEq, QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    part: String,
}

async fn connect(database: &FreshDatabase) -> AsyncPgConnection {
    AsyncPgConnection::establish(database.url())
        .await
        .expect("a connection")
}

async fn schema_of(database: &FreshDatabase) -> Vec<Part> {
    sql_query(SCHEMA)
        .load(&mut connect(database).await)
        .await
        .expect("a schema")
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    let fresh = postgres().fresh_database();
    let database = patient(fresh.url()).await;
    assert_eq!(schema_of(&fresh).await, [], "connecting makes nothing");

    assert_eq!(database.migrate_up().await.expect("up"), ALL);
    let full = schema_of(&fresh).await;
    for name in ALL.into_iter().rev() {
        assert_eq!(
            database.migrate_down().await.expect("down").as_deref(),
            Some(name)
        );
    }
    let bare = schema_of(&fresh).await;
    let of_diesel = |it: &Part| it.part.contains("__diesel_schema_migrations");
    assert!(bare.iter().all(of_diesel), "{bare:#?}");
    assert_eq!(database.migrate_down().await.expect("down"), None);
    assert_eq!(database.migrate_up().await.expect("up"), ALL);

    assert_eq!(schema_of(&fresh).await, full);
    assert!(full.len() > bare.len() + 40, "{full:#?}");
}

#[tokio::test]
async fn the_status_tells_what_is_applied() {
    let fresh = postgres().fresh_database();
    let database = patient(fresh.url()).await;
    for applied in [false, true] {
        let status = database.migration_status().await.expect("a status");
        let told: Vec<_> = status.into_iter().map(|it| (it.name, it.applied)).collect();
        assert_eq!(told, ALL.map(|name| (name.to_owned(), applied)));
        database.migrate_up().await.expect("up");
    }
}

#[tokio::test]
async fn programs_that_migrate_at_once_apply_each_migration_once() {
    let fresh = postgres().fresh_database();
    let programs = [
        patient(fresh.url()).await,
        patient(fresh.url()).await,
        patient(fresh.url()).await,
    ];
    let [one, two, three] = &programs;
    let (one, two, three) = tokio::join!(one.migrate_up(), two.migrate_up(), three.migrate_up());
    let mut applied = one.expect("up");
    applied.extend(two.expect("up"));
    applied.extend(three.expect("up"));
    assert_eq!(applied, ALL);
}

#[tokio::test]
async fn the_migrations_write_the_built_in_roles() {
    let fresh = postgres().fresh_database();
    let database = patient(fresh.url()).await;
    database.migrate_up().await.expect("up");
    let names = built_in().map(|role| role.name).into();
    let stored = storage_in(&database).roles.find(&names).await.expect("roles");
    assert_eq!(stored, built_in());
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let fresh = postgres().fresh_database();
    let database = patient(fresh.url()).await;
    database.migrate_up().await.expect("up");
    connect(&fresh)
        .await
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .await
        .expect("a migration from the future");

    let refused = PostgresDatabase::connect(fresh.url(), PoolSettings::default())
        .await
        .err()
        .expect("a refusal");

    assert!(
        matches!(&refused, ConnectError::Newer { version, .. } if version == "99990101000000"),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("newer than this program"),
        "{refused}"
    );
}

/// As replicas of two installations may share a server, and even a database.
#[tokio::test]
async fn a_schema_of_the_urls_choice_holds_everything() {
    let fresh = postgres().fresh_database();
    let mut conn = connect(&fresh).await;
    conn.batch_execute("CREATE SCHEMA mine").await.expect("a schema");
    let mark = if fresh.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options=-c%20search_path%3Dmine", fresh.url());
    let database = patient(&url).await;
    database.migrate_up().await.expect("up");

    storage_in(&database).health.check().await.expect("an answer");
    assert_eq!(schema_of(&fresh).await, [], "nothing is in the public schema");
    conn.batch_execute("SELECT count(*) FROM mine.sessions")
        .await
        .expect("a table");
}
