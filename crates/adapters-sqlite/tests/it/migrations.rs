use crate::{register, storage_over};
use adapters_sqlite::{OpenError, SqliteDatabase};
use chrono::Duration;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection, connection::SimpleConnection, sql_query,
    sql_types::Text,
};
use domain::{
    audit::{Actor, AuditAction, AuditFilter, AuditNumber, AuditRecord, ChainEnd, ChainReader, Origin, Seal},
    changes::{OpenSession, TrimAuditLog},
    ports::Rotated,
    revision::Revision,
    role::built_in,
    session::{Generation, OriginFingerprint, Rotation, SecretDigest, SessionId},
    user::{Epoch, UserFilter, UserId, UserPage, UserStatus},
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use testkit::{
    Storage, ToySealer,
    fixtures::{a_session, a_user, at, canonical, context, role_names},
};
use uuid::Uuid;

const NAMES: [&str; 18] = [
    "2026-11-22-000001_users_roles_sessions_audit",
    "2026-11-22-000002_administration",
    "2026-11-22-000003_replica_leases",
    "2026-11-22-000004_roles_by_status",
    "2026-11-22-000005_secret_digest",
    "2026-11-28-000006_session_numbers",
    "2026-11-28-000007_replicas",
    "2026-11-28-000008_role_revisions",
    "2026-11-28-000009_refresh_replays",
    "2026-11-28-000010_authenticated_at",
    "2026-11-28-000011_reset_codes",
    "2026-11-28-000012_session_networks",
    "2026-11-28-000013_session_bursts",
    "2026-11-28-000014_audit_checkpoints",
    "2026-11-28-000015_audit_pending",
    "2026-11-28-000016_session_death_days",
    "2026-11-29-000017_machines",
    "2026-11-29-000018_key_uses",
];
const FIRST_SCHEMA: &str =
    include_str!("../../../../migrations/sqlite/2026-11-22-000001_users_roles_sessions_audit/up.sql");
/// Data in the first schema: the administrator Alice, and Bob, whom she disabled.
const DATA_OF_THE_FIRST_SCHEMA: &str = "
    INSERT INTO users (id, login, canonical_login, password_hash, status, token_epoch, created_at, updated_at) VALUES
        (x'00000000000000000000000000000001', 'Alice', 'alice', 'plain$0$secret', 'active', 0, 7, 7),
        (x'00000000000000000000000000000002', 'bob', 'bob', 'plain$0$secret', 'disabled', 3, 8, 9);
    INSERT INTO user_roles (user_id, role) VALUES
        (x'00000000000000000000000000000001', 'admin'),
        (x'00000000000000000000000000000001', 'user'),
        (x'00000000000000000000000000000002', 'user');
    INSERT INTO sessions (id, user_id, generation, salt, created_at, last_used_at, idle_expires_at, expires_at) VALUES
        (x'00000000000000000000000000000003', x'00000000000000000000000000000001', 5,
            x'0707070707070707070707070707070707070707070707070707070707070707', 7, 8, 90, 99);
    INSERT INTO audit_events (at, action, actor_kind, actor_id, user_id, session_id, address, request_id) VALUES
        (7, 'user_registered', 'anonymous', NULL, x'00000000000000000000000000000001', NULL, '192.0.2.7', 'one'),
        (8, 'user_registered', 'operator', NULL, x'00000000000000000000000000000002', NULL, NULL, NULL),
        (9, 'user_disabled', 'user', x'00000000000000000000000000000001', x'00000000000000000000000000000002',
            NULL, '2001:db8::7', 'three');
";

#[derive(Debug, PartialEq, QueryableByName)]
struct Part {
    #[diesel(sql_type = Text)]
    sql: String,
}

fn connect(path: &Path) -> SqliteConnection {
    SqliteConnection::establish(path.to_str().expect("the path is UTF-8"))
        .expect("the database accepts connections")
}

fn schema_of(path: &Path) -> Vec<Part> {
    sql_query("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY sql")
        .load(&mut connect(path))
        .expect("migrating succeeds")
}

async fn empty() -> (SqliteDatabase, PathBuf, TempDir) {
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("authapi.db");
    let database = SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    (database, path, folder)
}

/// Creates a database in the first schema, with data.
async fn of_the_first_schema() -> (SqliteDatabase, PathBuf, TempDir) {
    let (database, path, folder) = empty().await;
    database.migrate_up().await.expect("migrating succeeds");
    down_to_the_first(&database).await;
    connect(&path)
        .batch_execute(DATA_OF_THE_FIRST_SCHEMA)
        .expect("the data can be inserted");
    (database, path, folder)
}

async fn all_events(storage: &Storage) -> Vec<AuditRecord> {
    let mut events = storage
        .audit_log
        .page(AuditFilter::default(), None, 100)
        .await
        .expect("the page can be read");
    events.reverse();
    events
}

async fn down_to_the_first(database: &SqliteDatabase) {
    for name in NAMES[1..].iter().rev() {
        let taken_back = database.migrate_down().await.expect("reverting succeeds");
        assert_eq!(taken_back.as_deref(), Some(*name));
    }
}

async fn all_users(storage: &Storage, filter: UserFilter) -> Vec<String> {
    let page = UserPage {
        after: None,
        limit: 100,
    };
    let users = storage
        .users
        .list(filter, page)
        .await
        .expect("the users can be listed");
    users
        .into_iter()
        .map(|user| user.login.as_typed().to_owned())
        .collect()
}

#[tokio::test]
async fn up_down_and_up_again_leaves_the_same_schema() {
    let (database, path, _folder) = empty().await;
    let bare = schema_of(&path);

    assert_eq!(database.migrate_up().await.expect("migrating succeeds"), NAMES);
    let full = schema_of(&path);
    for name in NAMES.into_iter().rev() {
        let taken_back = database.migrate_down().await.expect("reverting succeeds");
        assert_eq!(taken_back.as_deref(), Some(name));
    }
    assert_eq!(
        schema_of(&path).len(),
        bare.len() + 1,
        "only sqlite_sequence remains: SQLite does not drop it"
    );
    assert_eq!(database.migrate_down().await.expect("reverting succeeds"), None);
    assert_eq!(database.migrate_up().await.expect("migrating succeeds"), NAMES);

    assert_eq!(schema_of(&path), full);
    assert!(full.len() > bare.len() + 6);
}

#[tokio::test]
async fn reverting_the_second_migration_restores_the_first_schema() {
    let (_, path, _folder) = of_the_first_schema().await;
    let folder = tempfile::tempdir().expect("the folder can be created");
    let plain = folder.path().join("plain.db");
    connect(&plain)
        .batch_execute(FIRST_SCHEMA)
        .expect("migrating succeeds");
    let mut left = schema_of(&path);
    left.retain(|part| !part.sql.contains("__diesel_schema_migrations"));
    assert_eq!(left, schema_of(&plain));
}

#[tokio::test]
async fn data_of_the_first_schema_is_found_after_migrating() {
    let (database, _, _folder) = of_the_first_schema().await;
    assert_eq!(
        database.migrate_up().await.expect("migrating succeeds"),
        NAMES[1..]
    );
    let storage = storage_over(&database);

    let bob = storage.accounts.find_by_login(&canonical("bob")).await;
    let bob = bob.expect("the user can be read").expect("bob exists").user;
    assert_eq!(bob.id, UserId(Uuid::from_u128(2)));
    assert_eq!(bob.status, UserStatus::Disabled);
    assert_eq!(bob.revision, Revision::FIRST);
    assert!(!bob.must_change_password);

    let roles = storage.roles.list().await.expect("an answer");
    let revisions: Vec<_> = roles.iter().map(|role| role.revision).collect();
    assert_eq!(
        revisions,
        [Revision(3), Revision::FIRST],
        "three events were written"
    );

    let [admin, user] = built_in().map(|role| role.name);
    for (role, status, found) in [
        (Some(admin), None, vec!["Alice"]),
        (Some(user.clone()), None, vec!["Alice", "bob"]),
        (Some(user), Some(UserStatus::Disabled), vec!["bob"]),
        (None, Some(UserStatus::Active), vec!["Alice"]),
    ] {
        let filter = UserFilter {
            login: None,
            role,
            status,
        };
        assert_eq!(all_users(&storage, filter.clone()).await, found, "{filter:?}");
    }
}

#[tokio::test]
async fn the_salt_of_a_session_in_the_first_schema_becomes_a_digest_and_back() {
    let (database, path, _folder) = of_the_first_schema().await;
    let salt = || -> Vec<Part> {
        sql_query("SELECT hex(salt) AS sql FROM sessions")
            .load(&mut connect(&path))
            .expect("the session has a salt")
    };
    let before = salt();
    assert_eq!(before.len(), 1);
    database.migrate_up().await.expect("migrating succeeds");

    let storage = storage_over(&database);
    let session = storage.sessions.find(SessionId(Uuid::from_u128(3)), at(0)).await;
    let session = session
        .expect("the session can be read")
        .expect("the session exists");
    assert_eq!(session.secret_digest, SecretDigest([7; 32]));
    assert_eq!(session.generation, Generation(5));
    assert_eq!(session.authenticated_at, session.lifetime.created_at);
    drop(storage);

    down_to_the_first(&database).await;
    assert_eq!(salt(), before);
}

#[tokio::test]
async fn a_session_stored_by_the_previous_version_was_authenticated_when_it_was_opened() {
    let (database, path, _folder) = empty().await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_over(&database);
    let alice = a_user("alice");
    register(&storage, alice.clone(), at(0))
        .await
        .expect("the user is stored");
    let session = a_session(alice.id, at(0));
    let open = OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions: 9,
    };
    let opened = storage.accounts.execute(Arc::new(open), context(at(0))).await;
    opened.expect("the session is opened");
    connect(&path)
        .batch_execute("UPDATE sessions SET authenticated_at = NULL")
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

#[tokio::test]
async fn events_of_the_first_schema_precede_the_chain() {
    let (database, _, _folder) = of_the_first_schema().await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_over(&database);
    let base = ChainEnd {
        number: AuditNumber(3),
        seal: Seal::NONE,
    };
    assert_eq!(
        storage
            .audit_log
            .ends()
            .await
            .expect("the ends of the chain can be read")
            .base,
        base
    );

    let user = a_user("carol");
    register(&storage, user.clone(), at(0))
        .await
        .expect("the user is stored");

    let events = all_events(&storage).await;
    let numbers: Vec<i64> = events.iter().map(|event| event.number.0).collect();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert_eq!(events[0].origin.request_id.as_deref(), Some("one"));
    assert_eq!(events[1].actor, Actor::Operator);
    assert_eq!(events[2].actor, Actor::User(UserId(Uuid::from_u128(1))));
    assert_eq!(events[2].event.action, AuditAction::UserDisabled);
    assert_eq!(events[2].event.user, Some(UserId(Uuid::from_u128(2))));
    assert_eq!(events[2].origin.address, "2001:db8::7".parse().ok());
    assert_eq!(events[3].event.user, Some(user.id));

    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    let mut chain = ChainReader::new(ends, &ToySealer);
    for row in storage
        .audit_log
        .rows(ends.base.number, 100)
        .await
        .expect("the rows can be read")
    {
        let row = row.expect("the row can be parsed");
        chain.follow(&row.row, row.seal).expect("the chain is intact");
    }
    assert_eq!(chain.finish(), Ok(ends.head));
}

#[tokio::test]
async fn migrating_up_down_and_up_keeps_users_roles_and_events() {
    let (database, _, _folder) = of_the_first_schema().await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_over(&database);
    let user = a_user("carol");
    register(&storage, user.clone(), at(0))
        .await
        .expect("the user is stored");
    let before = all_events(&storage).await;
    drop(storage);

    down_to_the_first(&database).await;
    database.migrate_up().await.expect("migrating succeeds");

    let storage = storage_over(&database);
    let users = all_users(&storage, UserFilter::default()).await;
    assert_eq!(users, ["Alice", "bob", "carol"]);
    let carol = storage
        .accounts
        .find(user.id)
        .await
        .expect("the user can be read");
    assert_eq!(carol.expect("carol exists").roles, role_names(&["user"]));
    // The first schema keeps neither details nor user agents.
    let parts = |event: &AuditRecord| {
        (
            event.number,
            event.at,
            event.actor,
            event.event.action,
            event.event.user,
        )
    };
    let after = all_events(&storage).await;
    assert_eq!(
        after.iter().map(parts).collect::<Vec<_>>(),
        before.iter().map(parts).collect::<Vec<_>>()
    );
}

#[tokio::test]
async fn events_of_the_previous_version_have_no_mac_and_keep_their_seals() {
    let (database, _, _folder) = empty().await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_over(&database);
    register(&storage, a_user("carol"), at(0))
        .await
        .expect("the user is stored");
    let rows = || async {
        let rows = storage.audit_log.rows(AuditNumber(0), 100).await;
        rows.expect("the rows can be read")
            .remove(0)
            .expect("the row can be parsed")
    };
    let before = rows().await;
    assert!(before.mac.is_some());

    for name in NAMES[13..].iter().copied().rev() {
        let reverted = database.migrate_down().await.expect("reverting succeeds");
        assert_eq!(reverted.as_deref(), Some(name));
    }
    database.migrate_up().await.expect("migrating succeeds");

    let after = rows().await;
    assert_eq!(after.mac, None);
    assert_eq!((after.row, after.seal), (before.row, before.seal));
}

#[tokio::test]
async fn trimming_removes_the_events_of_the_first_schema_first() {
    let (database, _, _folder) = of_the_first_schema().await;
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_over(&database);
    for login in ["carol", "dave"] {
        register(&storage, a_user(login), at(0))
            .await
            .expect("the user is stored");
    }
    let command = TrimAuditLog {
        before: at(1),
        limit: 2,
    };

    let trimmed = storage.audit_log.trim(command, context(at(2))).await;
    assert_eq!(trimmed.expect("the audit log can be trimmed"), 2);
    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    assert_eq!(ends.base.number, AuditNumber(3));

    let trimmed = storage.audit_log.trim(command, context(at(2))).await;
    assert_eq!(trimmed.expect("the audit log can be trimmed"), 2);
    let ends = storage
        .audit_log
        .ends()
        .await
        .expect("the ends of the chain can be read");
    assert_eq!(ends.base.number, AuditNumber(4));
    let left = all_events(&storage).await;
    let actions: Vec<_> = left.iter().map(|event| event.event.action).collect();
    assert_eq!(
        actions,
        [
            AuditAction::UserRegistered,
            AuditAction::AuditLogTrimmed,
            AuditAction::AuditLogTrimmed
        ]
    );
}

#[tokio::test]
async fn the_status_says_what_is_applied() {
    let (database, _, _folder) = empty().await;
    for applied in [false, true] {
        let status = database
            .migration_status()
            .await
            .expect("the migrations can be listed");
        assert!(
            status.iter().all(|migration| migration.applied == applied),
            "{status:?}"
        );
        let names: Vec<_> = status.into_iter().map(|migration| migration.name).collect();
        assert_eq!(names, NAMES);
        database.migrate_up().await.expect("migrating succeeds");
    }
}

#[tokio::test]
async fn two_programs_that_migrate_at_once_apply_each_migration_once() {
    let (one, path, _folder) = empty().await;
    let other = SqliteDatabase::open(&path)
        .await
        .expect("the database can be opened");
    let (here, there) = tokio::join!(one.migrate_up(), other.migrate_up());
    let mut applied = here.expect("migrating succeeds");
    applied.extend(there.expect("migrating succeeds"));
    assert_eq!(applied, NAMES);
}

#[tokio::test]
async fn the_migrations_write_the_built_in_roles() {
    let (database, _, _folder) = empty().await;
    database.migrate_up().await.expect("migrating succeeds");
    let stored = storage_over(&database)
        .roles
        .list()
        .await
        .expect("the roles can be read");
    assert_eq!(stored, built_in());
}

#[tokio::test]
async fn a_newer_database_is_refused() {
    let (database, path, _folder) = empty().await;
    database.migrate_up().await.expect("migrating succeeds");
    connect(&path)
        .batch_execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')")
        .expect("the version can be inserted");

    let refused = SqliteDatabase::open(&path)
        .await
        .err()
        .expect("the database is refused");

    assert!(
        matches!(&refused, OpenError::Newer { version, .. } if version == "99990101000000"),
        "{refused:?}"
    );
    assert!(
        refused.to_string().contains("newer than this program"),
        "{refused}"
    );
}
