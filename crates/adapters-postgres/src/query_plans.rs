//! Query plans: every statement finds its rows by an index and stays prepared.

use crate::{
    changes::{ChainLock, EventWriter, SealRequest, catalogue, execute, execute_directly, seal, trim},
    database::{PoolSettings, PostgresDatabase},
    error::StorageError,
    tables::{
        audit, audit_pages,
        audit_pending::{self, Look},
        batched_rotation::rotate_several,
        login_facts, roles, rotation, sessions, snapshots, user_roles, users,
    },
};
use chrono::Duration;
use diesel::{
    QueryableByName,
    connection::{Instrumentation, InstrumentationEvent},
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditContext, AuditNumber, Origin, Unsealed},
    changes::{
        AccountState, Applied, CatalogueCommand, ChangePassword, Command, DeleteRole, DeleteUser, EndSession,
        EndSessions, KnownAccount, OpenSession, RegisterUser, RevokeSessions, SetStatus, TrimAuditLog,
    },
    ports::{AuditSealer, PlaceQuery},
    revision::Revision,
    role::RoleName,
    session::{EndReason, Generation, NewSession, OriginFingerprint, Rotation, SecretDigest, SessionId},
    throttle::Network,
    token::TokenIdentity,
    user::{Epoch, NewUser, UserId, UserStatus},
};
use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
};
use testkit::{
    ToySealer,
    fixtures::{
        a_reset, a_role, a_session, account, an_admin, at, canonical, context, origin, role_change,
        role_names, unique_uuid,
    },
};
use testservers::{FreshDatabase, postgres};

mod filled;
mod hot_updates;
mod removed_entries;
mod round_trips;

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    step: String,
}

#[derive(QueryableByName)]
struct KeptPrepared {
    #[diesel(sql_type = Text)]
    statement: String,
}

/// Connects to a new database with the current schema.
async fn connect() -> (AsyncPgConnection, FreshDatabase) {
    let fresh = postgres().fresh_database();
    let database = PostgresDatabase::connect(fresh.url(), PoolSettings::default())
        .await
        .expect("the database can be opened");
    database.migrate_up().await.expect("migrating succeeds");
    let conn = AsyncPgConnection::establish(fresh.url()).await;
    (conn.expect("the database accepts connections"), fresh)
}

/// Records what `note` returns for the events of `conn` from now on.
fn record(
    conn: &mut AsyncPgConnection,
    note: impl Fn(&InstrumentationEvent<'_>) -> Option<String> + Send + 'static,
) -> Receiver<String> {
    let (sender, notes) = channel();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let Some(text) = note(&event) {
            sender.send(text).expect("the test still receives statements");
        }
    });
    notes
}

/// Returns the text of a statement, without its values.
fn statement(event: &InstrumentationEvent<'_>) -> Option<String> {
    match event {
        InstrumentationEvent::FinishQuery { query, .. } => Some(query.to_string()),
        _ => None,
    }
}

/// Returns the generic plan of each statement that `work` executes.
async fn plans_of(
    work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<(), StorageError>,
) -> Vec<(String, String)> {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    work(&mut conn).await.expect("the work succeeds");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    // The server would scan empty tables sequentially, so sequential scans are disabled.
    conn.batch_execute(
        "SET enable_seqscan = off; SET enable_sort = off; SET plan_cache_mode = force_generic_plan",
    )
    .await
    .expect("the settings can be changed");
    let mut plans = Vec::new();
    for (number, sql) in statements.into_iter().enumerate() {
        let plan = explain(&mut conn, number, &sql).await;
        plans.push((sql, plan));
    }
    plans
}

async fn explain(conn: &mut AsyncPgConnection, number: usize, sql: &str) -> String {
    conn.batch_execute(&format!("PREPARE statement_{number} AS {sql}"))
        .await
        .expect("the statement can be prepared");
    let values: BTreeSet<&str> = sql
        .split('$')
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()
                .expect("split returns at least one part")
        })
        .collect();
    let nothing = vec!["NULL"; values.len()].join(", ");
    let arguments = if nothing.is_empty() {
        nothing
    } else {
        format!("({nothing})")
    };
    let steps: Vec<Step> = sql_query(format!("EXPLAIN EXECUTE statement_{number}{arguments}"))
        .load(conn)
        .await
        .expect("the statement can be explained");
    steps.into_iter().map(|it| it.step).collect::<Vec<_>>().join("\n")
}

async fn assert_indexed(
    name: &str,
    work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<(), StorageError>,
) {
    let plans = plans_of(work).await;
    assert!(!plans.is_empty(), "{name}");
    for (sql, plan) in plans {
        let by_index = plan.contains("Index Cond");
        assert!(by_index && !plan.contains("Seq Scan"), "{name}: {sql}\n{plan}");
    }
}

fn user() -> UserId {
    UserId(unique_uuid())
}

fn session() -> SessionId {
    SessionId(unique_uuid())
}

/// Returns places of both kinds.
fn places() -> PlaceQuery {
    PlaceQuery {
        network: Some(Network::site(Ipv4Addr::LOCALHOST.into())),
        device: Some(session()),
        since: at(0),
    }
}

fn rotation() -> Rotation {
    Rotation {
        session: session(),
        secret_digest: SecretDigest([7; 32]),
        from: Generation(0),
        to: Generation(1),
        at: at(0),
        idle_until: at(1),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::seconds(10),
    }
}

#[tokio::test]
async fn statements_of_every_request_use_an_index() {
    assert_indexed("snapshot", async |conn| {
        snapshots::find(conn, session()).await.map(drop)
    })
    .await;
    assert_indexed("snapshots", async |conn| {
        let several = [session(), session()];
        snapshots::find_several(conn, &several).await.map(drop)
    })
    .await;
    assert_indexed("find", async |conn| {
        sessions::find(conn, session()).await.map(drop)
    })
    .await;
    assert_indexed("login", async |conn| {
        let login = canonical("alice");
        login_facts::find(conn, &login, places()).await.map(drop)
    })
    .await;
    assert_indexed("rotate", async |conn| {
        rotation::rotate(conn, &rotation()).await.map(drop)
    })
    .await;
    assert_indexed("rotate several", async |conn| {
        let several = [rotation(), rotation()];
        rotate_several(conn, &several).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn lists_and_changes_of_many_rows_use_an_index() {
    assert_indexed("list sessions", async |conn| {
        sessions::list(conn, user(), at(0)).await.map(drop)
    })
    .await;
    assert_indexed("end all sessions", async |conn| {
        let ended = sessions::end_all_of(conn, user(), EndReason::LoggedOut, at(0));
        ended.await.map(drop)
    })
    .await;
    assert_indexed("reauthenticate", async |conn| {
        sessions::reauthenticate(conn, session(), at(0)).await
    })
    .await;
    assert_indexed("end some sessions", async |conn| {
        let sessions = [session()];
        let ended = sessions::end(conn, &sessions, EndReason::MadeRoom, at(0));
        ended.await.map(drop)
    })
    .await;
    assert_indexed("count live sessions", async |conn| {
        sessions::count_live_of(conn, user(), at(0)).await.map(drop)
    })
    .await;
    assert_indexed("live sessions", async |conn| {
        sessions::live_of(conn, user(), at(0)).await.map(drop)
    })
    .await;
    assert_indexed("log out directly", async |conn| {
        let ending = EndSession {
            session: session(),
            user: user(),
            reason: EndReason::LoggedOut,
        };
        run_directly(conn, &ending).await.map(drop)
    })
    .await;
    assert_indexed("log in directly", async |conn| {
        run_directly(conn, &opening_known(&a_session(user(), at(0))))
            .await
            .map(drop)
    })
    .await;
    assert_indexed("record a replay", async |conn| {
        sessions::record_replay(conn, session(), Generation(1)).await
    })
    .await;
    assert_indexed("remove dead", async |conn| {
        sessions::remove_dead(conn, at(0), 10).await.map(drop)
    })
    .await;
    assert_indexed("roles", async |conn| {
        roles::find(conn, &role_names(&["admin", "user"])).await.map(drop)
    })
    .await;
    assert_indexed("ends of the chain", async |conn| {
        audit::ends(conn).await.map(drop)
    })
    .await;
    assert_indexed("lock the chain to seal", async |conn| {
        audit::lock_to_seal(conn, true).await.map(drop)
    })
    .await;
    for look in [Look::New, Look::All] {
        assert_indexed("oldest pending event", async |conn| {
            audit_pending::oldest(conn, look).await.map(drop)
        })
        .await;
    }
    assert_indexed("take pending events", async |conn| {
        audit_pending::take(conn, &Unsealed::all(), 10).await.map(drop)
    })
    .await;
    assert_indexed("MACs of pending events", async |conn| {
        audit_pending::macs(conn, &[1, 2]).await.map(drop)
    })
    .await;
    assert_indexed("events at some times", async |conn| {
        audit_pages::rows_at(conn, vec![at(0), at(1)]).await.map(drop)
    })
    .await;
    assert_indexed("rows of the audit log", async |conn| {
        audit_pages::rows(conn, AuditNumber(7), 10).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn locks_and_reads_of_commands_use_an_index() {
    assert_indexed("lock users", async |conn| {
        users::lock(conn, &[user(), user()]).await.map(drop)
    })
    .await;
    assert_indexed("target", async |conn| {
        users::find_target(conn, user()).await.map(drop)
    })
    .await;
    assert_indexed("any admin", async |conn| {
        user_roles::any_admin(conn).await.map(drop)
    })
    .await;
    assert_indexed("another admin", async |conn| {
        user_roles::any_admin_but(conn, user()).await.map(drop)
    })
    .await;
    assert_indexed("is an admin", async |conn| {
        user_roles::is_active_admin(conn, user()).await.map(drop)
    })
    .await;
    assert_indexed("lock a session", async |conn| {
        sessions::lock(conn, session()).await.map(drop)
    })
    .await;
    assert_indexed("lock roles", async |conn| {
        let names = role_names(&["admin", "user"]);
        roles::lock_to_give(conn, &names).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn statements_of_every_request_are_prepared_once() {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    for round in 1..=3 {
        snapshots::find(&mut conn, session())
            .await
            .expect("the snapshot can be read");
        let several = vec![session(); round];
        let found = snapshots::find_several(&mut conn, &several);
        found.await.expect("the row can be read");
        sessions::find(&mut conn, session())
            .await
            .expect("the session can be read");
        rotation::rotate(&mut conn, &rotation())
            .await
            .expect("the session can be read");
        let several = vec![rotation(); round];
        let rotated = rotate_several(&mut conn, &several);
        rotated.await.expect("the sessions can be read");
        let login = canonical("alice");
        login_facts::find(&mut conn, &login, places())
            .await
            .expect("the user can be read");
    }
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let statements: Vec<String> = statements.into_iter().collect();
    assert_eq!(statements.len(), 18, "one statement for each call");
    let distinct = statements.into_iter().collect();
    assert_eq!(prepared_on(&mut conn).await, distinct);
}

/// The server keeps the generic plan after five executions, for any number of sessions.
async fn assert_keeps_generic_plan(
    statement: &str,
    execute: impl AsyncFn(&mut AsyncPgConnection, usize) -> Result<(), StorageError>,
) {
    #[derive(Debug, PartialEq, QueryableByName)]
    struct Executed {
        #[diesel(sql_type = BigInt)]
        custom_plans: i64,
        #[diesel(sql_type = BigInt)]
        generic_plans: i64,
    }
    let kept = Executed {
        custom_plans: 5,
        generic_plans: 3,
    };
    for count in [1, 3, 64] {
        let (mut conn, _database) = connect().await;
        for _ in 0..8 {
            let done = execute(&mut conn, count).await;
            done.expect("the statement succeeds");
        }
        let query = format!("SELECT * FROM pg_prepared_statements WHERE statement LIKE '{statement}'");
        let executed: Executed = sql_query(query)
            .get_result(&mut conn)
            .await
            .expect("one statement is prepared");
        assert_eq!(executed, kept, "{count}");
    }
}

#[tokio::test]
async fn snapshots_keep_their_generic_plan() {
    assert_keeps_generic_plan("SELECT found.%", async |conn, count| {
        let several = vec![session(); count];
        snapshots::find_several(conn, &several).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn batches_of_rotations_keep_their_generic_plan() {
    assert_keeps_generic_plan("_    WITH locked AS %", async |conn, count| {
        let several = vec![rotation(); count];
        rotate_several(conn, &several).await.map(drop)
    })
    .await;
}

/// A connection keeps the plan until the server has counted the rows of the table.
#[tokio::test]
async fn a_batch_of_rotations_uses_the_index_of_a_table_that_was_empty_when_it_was_planned() {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    let rotated = rotate_several(&mut conn, &[rotation(), rotation()]).await;
    rotated.expect("the statement succeeds");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    conn.batch_execute("SET plan_cache_mode = force_generic_plan")
        .await
        .expect("the setting can be changed");
    let sql = statements.into_iter().next().expect("one statement is executed");
    let plan = explain(&mut conn, 0, &sql).await;
    let by_index = plan.matches("Index Scan using sessions_pkey on sessions").count();
    assert_eq!(by_index, 2, "to lock and to update: {plan}");
}

#[tokio::test]
async fn every_statement_of_every_change_stays_prepared() {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    change_everything(&mut conn).await.expect("the changes succeed");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let distinct: BTreeSet<String> = statements.into_iter().collect();
    assert!(distinct.len() > 15, "{distinct:#?}");
    let unprepared: Vec<_> = distinct
        .difference(&prepared_on(&mut conn).await)
        .cloned()
        .collect();
    assert!(unprepared.is_empty(), "{unprepared:#?}");
}

/// Writes events with `context`.
fn events(context: AuditContext) -> EventWriter {
    let sealer: Arc<dyn AuditSealer> = Arc::new(ToySealer);
    EventWriter::new(context, &sealer, &Arc::default())
}

/// Executes `command` at `at(0)`. No transaction is needed: no other connection uses the database.
async fn run(conn: &mut AsyncPgConnection, command: &dyn Command) -> Result<Applied, StorageError> {
    let done = execute(conn, command, &events(context(at(0)))).await?;
    Ok(done.expect("the change is allowed"))
}

async fn run_on_catalogue(
    conn: &mut AsyncPgConnection,
    command: &dyn CatalogueCommand,
) -> Result<(), StorageError> {
    let done = catalogue::execute(conn, command, &events(context(at(0)))).await?;
    done.expect("the change is allowed");
    Ok(())
}

/// Makes the direct change of `command`, if the rows are as it expects.
async fn run_directly(
    conn: &mut AsyncPgConnection,
    command: &dyn Command,
) -> Result<Option<Applied>, StorageError> {
    let change = command.direct(at(0)).expect("one statement can make the change");
    execute_directly(conn, &change, &events(context(at(0)))).await
}

/// Returns the command that opens `session` of a user who has not changed since they registered.
fn opening_known(session: &NewSession) -> OpenSession {
    let state = AccountState {
        status: UserStatus::Active,
        epoch: Epoch::FIRST,
        one_time_password: None,
    };
    let revision = Revision::FIRST;
    OpenSession {
        known: Some(KnownAccount { state, revision }),
        ..opening(session, 100)
    }
}

fn opening(session: &NewSession, max_sessions: u32) -> OpenSession {
    OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions,
    }
}

fn identity(session: &NewSession) -> TokenIdentity {
    TokenIdentity {
        principal: session.user.into(),
        session: session.id,
        epoch: Epoch::FIRST,
    }
}

async fn change_everything(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let user = an_admin("alice");
    run(conn, &RegisterUser(user.clone())).await?;
    open_and_end(conn, &user).await?;
    let session = a_session(user.id, at(0));
    run(conn, &opening(&session, 100)).await?;
    let password = ChangePassword {
        authorized_by: identity(&session),
        hash: user.hash.clone(),
        session: a_session(user.id, at(0)),
    };
    run(conn, &password).await?;
    users::replace_hash(conn, user.id, &user.hash, &user.hash).await?;
    change_the_catalogue(conn).await?;
    demote_and_delete(conn, user.id).await?;
    sessions::remove_dead(conn, at(9), 9).await?;
    let trimming = TrimAuditLog {
        before: at(9),
        limit: 3,
    };
    seal(conn, &ToySealer, sealing(ChainLock::Wait)).await?;
    trim(conn, trimming, &events(context(at(0)))).await?;
    Ok(())
}

fn sealing(lock: ChainLock) -> SealRequest {
    SealRequest {
        lock,
        look: Look::New,
        limit: 1_000,
    }
}

async fn open_and_end(conn: &mut AsyncPgConnection, user: &NewUser) -> Result<(), StorageError> {
    let direct = a_session(user.id, at(0));
    let opened = run_directly(conn, &opening_known(&direct)).await?;
    assert!(opened.is_some(), "the user has not changed");
    let ending = EndSession {
        session: direct.id,
        user: user.id,
        reason: EndReason::LoggedOut,
    };
    let ended = run_directly(conn, &ending).await?;
    assert!(ended.is_some(), "the session is live");
    run(conn, &opening(&a_session(user.id, at(0)), 100)).await?;
    let without_origin = NewSession {
        user_agent: None,
        address: None,
        ..a_session(user.id, at(0))
    };
    let anonymous = events(AuditContext {
        origin: Origin::default(),
        ..context(at(0))
    });
    // With a limit of one session, this ends the first session.
    let opened = execute(conn, &opening(&without_origin, 1), &anonymous).await?;
    assert_eq!(opened.expect("the session is opened").sessions_ended, 1);
    let reason = EndReason::LoggedOut;
    let ending = EndSession {
        session: without_origin.id,
        user: user.id,
        reason,
    };
    run(conn, &ending).await?;
    let user = user.id;
    run(conn, &EndSessions { user, reason }).await?;
    Ok(())
}

async fn change_the_catalogue(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    for permission in ["posts:write", "posts:read"] {
        run_on_catalogue(conn, &a_role("editor", &[permission])).await?;
    }
    let deletion = DeleteRole {
        name: RoleName::parse("editor").expect("the name is valid"),
        if_revision: None,
        authorized_by: None,
    };
    run_on_catalogue(conn, &deletion).await
}

/// Removes the role of an admin, which requires another admin, disables the user and deletes them.
async fn demote_and_delete(conn: &mut AsyncPgConnection, user: UserId) -> Result<(), StorageError> {
    let bob = an_admin("bob");
    run(conn, &RegisterUser(bob.clone())).await?;
    run(conn, &role_change(user, &["user"])).await?;
    let account = account(user);
    for status in [UserStatus::Disabled, UserStatus::Active] {
        run(conn, &SetStatus { account, status }).await?;
    }
    let hash = bob.hash;
    run(conn, &a_reset(account, hash)).await?;
    let authorized_by = None;
    run(conn, &RevokeSessions { user, authorized_by }).await?;
    run(conn, &DeleteUser(account)).await?;
    Ok(())
}

/// Returns the statements that the server lists as prepared on `conn`, except this query.
async fn prepared_on(conn: &mut AsyncPgConnection) -> BTreeSet<String> {
    let query = "SELECT statement FROM pg_prepared_statements";
    let prepared: Vec<KeptPrepared> = sql_query(query)
        .load(conn)
        .await
        .expect("the prepared statements can be listed");
    let statements = prepared.into_iter().map(|it| it.statement);
    statements.filter(|it| it != query).collect()
}
