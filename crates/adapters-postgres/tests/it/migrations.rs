use crate::{connect_unhurried, first, open, register, storage_at, storage_in};
use adapters_postgres::{ConnectError, PoolSettings, PostgresDatabase};
use chrono::Duration;
use diesel::{QueryableByName, sql_query, sql_types::Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditAction, AuditFilter, AuditNumber, Origin},
    ports::Rotated,
    role::{RoleName, built_in},
    session::{Generation, OriginFingerprint, Rotation, SecretDigest, SessionId},
    user::UserFilter,
};
use testkit::fixtures::{a_user, at};
use testservers::{FreshDatabase, postgres};
use uuid::Uuid;

const FIRST: &str = "2026-11-22-000001_users_roles_sessions_audit";
const SECOND: &str = "2026-11-22-000002_administration";
const THIRD: &str = "2026-11-22-000003_replica_leases";
const FOURTH: &str = "2026-11-22-000004_roles_by_status";
const FIFTH: &str = "2026-11-22-000005_secret_digest";
const SIXTH: &str = "2026-11-28-000006_session_numbers";
const SEVENTH: &str = "2026-11-28-000007_replicas";
const EIGHTH: &str = "2026-11-28-000008_role_revisions";
const NINTH: &str = "2026-11-28-000009_refresh_replays";
const TENTH: &str = "2026-11-28-000010_authenticated_at";
const ELEVENTH: &str = "2026-11-28-000011_reset_codes";
const TWELFTH: &str = "2026-11-28-000012_session_networks";
const THIRTEENTH: &str = "2026-11-28-000013_session_bursts";
const FOURTEENTH: &str = "2026-11-28-000014_audit_checkpoints";
const FIFTEENTH: &str = "2026-11-28-000015_audit_pending";
const SIXTEENTH: &str = "2026-11-28-000016_session_death_days";
const SEVENTEENTH: &str = "2026-11-29-000017_machines";
const EIGHTEENTH: &str = "2026-11-29-000018_key_uses";
const ALL: [&str; 18] = [
    FIRST,
    SECOND,
    THIRD,
    FOURTH,
    FIFTH,
    SIXTH,
    SEVENTH,
    EIGHTH,
    NINTH,
    TENTH,
    ELEVENTH,
    TWELFTH,
    THIRTEENTH,
    FOURTEENTH,
    FIFTEENTH,
    SIXTEENTH,
    SEVENTEENTH,
    EIGHTEENTH,
];

/// Lists the columns, constraints, indexes, functions and triggers of a schema.
const SCHEMA: &str = "
    SELECT format('%s.%s %s %s', table_name, column_name, data_type, collation_name) AS part
        FROM information_schema.columns WHERE table_schema = current_schema()
    UNION ALL SELECT format('%s %s', conrelid::regclass, pg_get_constraintdef(oid))
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema()
    UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = current_schema()::regnamespace
    UNION ALL SELECT pg_get_triggerdef(pg_trigger.oid) FROM pg_trigger
        JOIN pg_class ON pg_class.oid = tgrelid
        WHERE relnamespace = current_schema()::regnamespace AND NOT tgisinternal
    ORDER BY part";

#[derive(Debug, PartialEq, QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    part: String,
}

async fn connect(database: &FreshDatabase) -> AsyncPgConnection {
    AsyncPgConnection::establish(database.url())
        .await
        .expect("the database accepts connections")
}

async fn schema_of(database: &FreshDatabase) -> Vec<Part> {
    sql_query(SCHEMA)
        .load(&mut connect(database).await)
        .await
        .expect("migrating succeeds")
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    assert_eq!(schema_of(&fresh).await, [], "connecting creates nothing");

    assert_eq!(database.migrate_up().await.expect("migrating succeeds"), ALL);
    let full = schema_of(&fresh).await;
    for name in ALL.into_iter().rev() {
        assert_eq!(
            database
                .migrate_down()
                .await
                .expect("reverting succeeds")
                .as_deref(),
            Some(name)
        );
    }
    let bare = schema_of(&fresh).await;
    let of_diesel = |it: &Part| it.part.contains("__diesel_schema_migrations");
    assert!(bare.iter().all(of_diesel), "{bare:#?}");
    assert_eq!(database.migrate_down().await.expect("reverting succeeds"), None);
    assert_eq!(database.migrate_up().await.expect("migrating succeeds"), ALL);

    assert_eq!(schema_of(&fresh).await, full);
    assert!(full.len() > bare.len() + 40, "{full:#?}");
}

#[tokio::test]
async fn the_status_reports_which_migrations_are_applied() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    for applied in [false, true] {
        let status = database
            .migration_status()
            .await
            .expect("the migrations can be listed");
        let found: Vec<_> = status.into_iter().map(|it| (it.name, it.applied)).collect();
        assert_eq!(found, ALL.map(|name| (name.to_owned(), applied)));
        database.migrate_up().await.expect("migrating succeeds");
    }
}

#[tokio::test]
async fn programs_that_migrate_at_once_apply_each_migration_once() {
    let fresh = postgres().fresh_database();
    let programs = [
        connect_unhurried(fresh.url()).await,
        connect_unhurried(fresh.url()).await,
        connect_unhurried(fresh.url()).await,
    ];
    let [one, two, three] = &programs;
    let (one, two, three) = tokio::join!(one.migrate_up(), two.migrate_up(), three.migrate_up());
    let mut applied = one.expect("migrating succeeds");
    applied.extend(two.expect("migrating succeeds"));
    applied.extend(three.expect("migrating succeeds"));
    assert_eq!(applied, ALL);
}

#[tokio::test]
async fn the_migrations_write_the_built_in_roles() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    let names = built_in().map(|role| role.name).into();
    let stored = storage_in(&database)
        .roles
        .find(&names)
        .await
        .expect("the roles can be read");
    assert_eq!(stored, built_in());
}

/// Data in the first schema: two users with roles and sessions, and an audit log with a gap in its
/// ids.
const OLD_DATA: &str = "
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, created_at, updated_at)
        SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, login, lower(login), 'plain$0$x', 'active', 0,
            now(), now()
        FROM (VALUES (1, 'Alice'), (2, 'bob')) AS old (n, login);
    INSERT INTO user_roles SELECT id, 'user' FROM users;
    INSERT INTO user_roles SELECT id, 'admin' FROM users WHERE canonical_login = 'alice';
    INSERT INTO sessions (id, user_id, generation, salt, created_at, last_used_at, idle_expires_at, expires_at)
        SELECT id, id, 5, decode(repeat('07', 32), 'hex'), now(), now(), now(), now() FROM users;
    INSERT INTO audit_events (at, action, actor_kind, user_id, address, request_id)
        SELECT now(), 'user_registered', 'anonymous', id, '192.0.2.7', 'request-1' FROM users;
    INSERT INTO audit_events (at, action, actor_kind, actor_id, user_id)
        SELECT now(), 'logged_in', 'user', id, id FROM users;
    DELETE FROM audit_events WHERE id = 2;";

const OLD_EVENTS: &str = "
    SELECT concat_ws(' ', at, action, actor_kind, actor_id, user_id, address, request_id) AS part
    FROM audit_events ORDER BY id";

async fn parts(database: &FreshDatabase, query: &str) -> Vec<Part> {
    sql_query(query)
        .load(&mut connect(database).await)
        .await
        .expect("the query succeeds")
}

#[tokio::test]
async fn users_and_the_audit_log_of_the_first_schema_survive_migrating_up_and_down() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    down_to_the_first(&database).await;
    connect(&fresh)
        .await
        .batch_execute(OLD_DATA)
        .await
        .expect("the data can be inserted");
    let old_events = parts(&fresh, OLD_EVENTS).await;
    assert_eq!(old_events.len(), 3);

    assert_eq!(database.migrate_up().await.expect("migrating succeeds"), ALL[1..]);

    let storage = storage_in(&database);
    let everything = storage.audit_log.page(AuditFilter::default(), None, 9).await;
    let found: Vec<_> = everything
        .expect("the events can be read")
        .into_iter()
        .map(|record| (record.number.0, record.event.action))
        .collect();
    let expected = [
        (3, AuditAction::LoggedIn),
        (2, AuditAction::LoggedIn),
        (1, AuditAction::UserRegistered),
    ];
    assert_eq!(found, expected);
    let roles = storage.roles.list().await.expect("roles");
    let revisions: Vec<_> = roles.iter().map(|role| role.revision.0).collect();
    assert_eq!(revisions, [3, 0], "three events were written");
    let admins = UserFilter {
        role: Some(RoleName::ADMIN),
        ..UserFilter::default()
    };
    let admins = storage
        .users
        .list(admins, first(9))
        .await
        .expect("the users can be listed");
    assert_eq!(admins.len(), 1, "{admins:?}");
    assert_eq!(admins[0].login.as_typed(), "Alice");
    register(&storage, &a_user("carol")).await;
    storage.audit_log.seal().await;
    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    assert_eq!(
        (ends.base.number, ends.head.number),
        (AuditNumber(3), AuditNumber(4))
    );

    down_to_the_first(&database).await;
    let events = parts(&fresh, OLD_EVENTS).await;
    assert_eq!(events[..3], old_events);
    assert_eq!(events.len(), 4, "carol's event is kept");
    database.migrate_up().await.expect("migrating succeeds");
    let ends = storage_in(&database)
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    assert_eq!(
        (ends.base.number, ends.head.number),
        (AuditNumber(4), AuditNumber(4))
    );
}

#[tokio::test]
async fn salts_of_sessions_in_the_first_schema_become_digests_and_back() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    down_to_the_first(&database).await;
    connect(&fresh)
        .await
        .batch_execute(OLD_DATA)
        .await
        .expect("the data can be inserted");
    let salts = "SELECT concat_ws(' ', id, salt) AS part FROM sessions ORDER BY id";
    let before = parts(&fresh, salts).await;
    assert_eq!(before.len(), 2);
    database.migrate_up().await.expect("migrating succeeds");

    let of_alice = SessionId(Uuid::from_u128(0x0000_0000_0000_7000_8000_0000_0000_0001));
    let found = storage_in(&database).sessions.find(of_alice, at(0)).await;
    let session = found
        .expect("the session can be read")
        .expect("the session exists");
    assert_eq!(session.secret_digest, SecretDigest([7; 32]));
    assert_eq!(session.generation, Generation(5));
    assert_eq!(session.authenticated_at, session.lifetime.created_at);

    down_to_the_first(&database).await;
    assert_eq!(parts(&fresh, salts).await, before);
}

#[tokio::test]
async fn a_session_stored_by_the_previous_version_was_authenticated_when_it_was_opened() {
    let fresh = postgres().fresh_database();
    let storage = storage_at(fresh.url()).await;
    let alice = a_user("alice");
    register(&storage, &alice).await;
    let session = open(&storage, &alice).await;
    connect(&fresh)
        .await
        .batch_execute("UPDATE sessions SET authenticated_at = NULL")
        .await
        .expect("the session can be changed");

    let found = storage.sessions.find(session.id, at(5)).await;
    let found = found
        .expect("the session can be read")
        .expect("the session exists");
    assert_eq!(found.authenticated_at, session.created_at);
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(5),
        idle_until: at(50),
        origin: OriginFingerprint::of(&Origin::default()),
        grace: Duration::seconds(10),
    };
    let rotated = storage.sessions.rotate(rotation).await;
    let expected = found.rotated(&rotation);
    assert_eq!(expected.authenticated_at, session.created_at);
    assert_eq!(
        rotated.expect("the session can be rotated"),
        Rotated::Done(expected)
    );
}

async fn down_to_the_first(database: &PostgresDatabase) {
    for name in ALL[1..].iter().rev() {
        let reverted = database.migrate_down().await.expect("reverting succeeds");
        assert_eq!(reverted.as_deref(), Some(*name));
    }
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    connect(&fresh)
        .await
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .await
        .expect("the version can be inserted");

    let refused = PostgresDatabase::connect(fresh.url(), PoolSettings::default())
        .await
        .err()
        .expect("the database is refused");

    assert!(
        matches!(&refused, ConnectError::Newer { version, .. } if version == "99990101000000"),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("newer than this program"),
        "{refused}"
    );
}

/// No event is lost by going back to the older release.
#[tokio::test]
async fn pending_events_are_sealed_before_their_table_can_be_removed() {
    let fresh = postgres().fresh_database();
    let database = connect_unhurried(fresh.url()).await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_in(&database);
    register(&storage, &a_user("alice")).await;
    for expected in [EIGHTEENTH, SIXTEENTH] {
        let reverted = database.migrate_down().await.expect("reverting succeeds");
        assert_eq!(reverted.as_deref(), Some(expected));
    }

    assert!(database.migrate_down().await.is_err());

    storage.audit_log.seal().await;
    let reverted = database.migrate_down().await.expect("reverting succeeds");
    assert_eq!(reverted.as_deref(), Some(FIFTEENTH));
}

/// Two installations may share a database in separate schemas.
#[tokio::test]
async fn all_tables_are_in_the_schema_that_the_url_names() {
    let fresh = postgres().fresh_database();
    let mut conn = connect(&fresh).await;
    conn.batch_execute("CREATE SCHEMA mine")
        .await
        .expect("migrating succeeds");
    let mark = if fresh.url().contains('?') { '&' } else { '?' };
    let url = format!("{}{mark}options=-c%20search_path%3Dmine", fresh.url());
    let database = connect_unhurried(&url).await;
    database.migrate_up().await.expect("migrating succeeds");

    storage_in(&database)
        .health
        .check()
        .await
        .expect("the database responds");
    assert_eq!(schema_of(&fresh).await, [], "nothing is in the public schema");
    conn.batch_execute("SELECT count(*) FROM mine.sessions")
        .await
        .expect("the table exists");
}
