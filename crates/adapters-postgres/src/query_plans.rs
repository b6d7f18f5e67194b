//! Proof that every statement finds its rows by an index, and that the hot ones stay prepared.

use crate::{
    PoolSettings, PostgresDatabase,
    audit::{self, Journal},
    error::StorageError,
    roles, session_snapshots, sessions, users,
};
use diesel::{
    QueryableByName,
    connection::{Instrumentation, InstrumentationEvent},
    sql_query,
    sql_types::{BigInt, Text},
};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditContext, AuditNumber, Origin},
    ports::{AuditSealer, ChangePassword, PutRole, RemoveRole, RevokeSessions},
    revision::Precondition,
    role::{Description, Permission, RoleName},
    session::{EndReason, Generation, NewSession, Rotation, SecretDigest, SessionId},
    token::TokenIdentity,
    user::{Epoch, UserId, UserStatus},
};
use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        mpsc::{Receiver, channel},
    },
};
use testkit::{
    ToySealer,
    fixtures::{
        a_session, administer, an_admin, at, canonical, context, role_change, role_names, unique_uuid,
    },
};
use testservers::{FreshDatabase, postgres};

mod filled;

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

/// A connection to a database of its own that is up to date.
async fn connect() -> (AsyncPgConnection, FreshDatabase) {
    let fresh = postgres().fresh_database();
    let database = PostgresDatabase::connect(fresh.url(), PoolSettings::default())
        .await
        .expect("a database");
    database.migrate_up().await.expect("a schema");
    let conn = AsyncPgConnection::establish(fresh.url()).await;
    (conn.expect("a connection"), fresh)
}

/// What `note` makes of the events of `conn` from now on.
fn record(
    conn: &mut AsyncPgConnection,
    note: impl Fn(&InstrumentationEvent<'_>) -> Option<String> + Send + 'static,
) -> Receiver<String> {
    let (sender, notes) = channel();
    conn.set_instrumentation(move |event: InstrumentationEvent<'_>| {
        if let Some(text) = note(&event) {
            sender.send(text).expect("the test is listening");
        }
    });
    notes
}

/// The text of a statement, without the values that its start is told with.
fn statement(event: &InstrumentationEvent<'_>) -> Option<String> {
    match event {
        InstrumentationEvent::FinishQuery { query, .. } => Some(query.to_string()),
        _ => None,
    }
}

/// The plan, for any values, of each statement that `work` executes.
async fn plans_of(
    work: impl AsyncFnOnce(&mut AsyncPgConnection) -> Result<(), StorageError>,
) -> Vec<(String, String)> {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    work(&mut conn).await.expect("an answer");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    // Tables without rows are read whole sooner than by an index, if that is allowed.
    conn.batch_execute(
        "SET enable_seqscan = off; SET enable_sort = off; SET plan_cache_mode = force_generic_plan",
    )
    .await
    .expect("settings");
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
        .expect("a statement");
    let values: BTreeSet<&str> = sql
        .split('$')
        .skip(1)
        .map(|rest| {
            rest.split(|c: char| !c.is_ascii_digit())
                .next()
                .expect("a number")
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
        .expect("a plan");
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

fn rotation() -> Rotation {
    Rotation {
        session: session(),
        secret_digest: SecretDigest([7; 32]),
        from: Generation(0),
        to: Generation(1),
        at: at(0),
        idle_until: at(1),
    }
}

#[tokio::test]
async fn what_every_request_asks_is_found_by_index() {
    assert_indexed("view", async |conn| {
        session_snapshots::snapshot(conn, session()).await.map(drop)
    })
    .await;
    assert_indexed("views", async |conn| {
        session_snapshots::snapshots(conn, &[session(), session()])
            .await
            .map(drop)
    })
    .await;
    assert_indexed("find", async |conn| {
        sessions::find(conn, session()).await.map(drop)
    })
    .await;
    assert_indexed("login", async |conn| {
        users::find_by_login(conn, &canonical("alice")).await.map(drop)
    })
    .await;
    assert_indexed("rotate", async |conn| {
        sessions::rotate(conn, &rotation()).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn lists_and_changes_of_many_rows_go_by_index() {
    assert_indexed("list sessions", async |conn| {
        sessions::list(conn, user(), at(0)).await.map(drop)
    })
    .await;
    assert_indexed("end sessions", async |conn| {
        let ended = sessions::end_live(conn, user(), EndReason::LoggedOut, at(0));
        ended.await.map(drop)
    })
    .await;
    assert_indexed("make room", async |conn| {
        sessions::make_room(conn, user(), 1, at(0)).await.map(drop)
    })
    .await;
    assert_indexed("remove dead", async |conn| {
        sessions::remove_dead(conn, at(0), 10).await.map(drop)
    })
    .await;
    assert_indexed("lock", async |conn| users::lock(conn, [user()]).await.map(drop)).await;
    assert_indexed("any admin", async |conn| users::any_admin(conn).await.map(drop)).await;
    assert_indexed("roles", async |conn| {
        roles::find(conn, &role_names(&["admin", "user"])).await.map(drop)
    })
    .await;
    assert_indexed("ends of the trail", async |conn| {
        audit::ends(conn).await.map(drop)
    })
    .await;
    assert_indexed("rows of the trail", async |conn| {
        audit::rows(conn, AuditNumber(7), 10).await.map(drop)
    })
    .await;
}

#[tokio::test]
async fn what_every_request_asks_is_one_statement_prepared_once() {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    for round in 1..=3 {
        session_snapshots::snapshot(&mut conn, session())
            .await
            .expect("an answer");
        let several = vec![session(); round];
        let snapshots = session_snapshots::snapshots(&mut conn, &several);
        snapshots.await.expect("an answer");
        sessions::find(&mut conn, session()).await.expect("an answer");
        sessions::rotate(&mut conn, &rotation()).await.expect("an answer");
        let login = canonical("alice");
        users::find_by_login(&mut conn, &login).await.expect("an answer");
    }
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let statements: Vec<String> = statements.into_iter().collect();
    assert_eq!(statements.len(), 15, "one for each question");
    let distinct = statements.into_iter().collect();
    assert_eq!(prepared_on(&mut conn).await, distinct);
}

/// With its plan for any values, however many sessions it asks for, as soon as the server may keep one.
#[tokio::test]
async fn views_are_not_planned_anew() {
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
            let several = vec![session(); count];
            let snapshots = session_snapshots::snapshots(&mut conn, &several);
            snapshots.await.expect("an answer");
        }
        let question = "SELECT * FROM pg_prepared_statements WHERE statement LIKE 'SELECT found.%'";
        let executed: Executed = sql_query(question).get_result(&mut conn).await.expect("one");
        assert_eq!(executed, kept, "{count}");
    }
}

#[tokio::test]
async fn every_statement_of_every_change_stays_prepared() {
    let (mut conn, _database) = connect().await;
    let statements = record(&mut conn, statement);
    change_everything(&mut conn).await.expect("changes");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let distinct: BTreeSet<String> = statements.into_iter().collect();
    assert!(distinct.len() > 15, "{distinct:#?}");
    let thrown_away: Vec<_> = distinct
        .difference(&prepared_on(&mut conn).await)
        .cloned()
        .collect();
    assert!(thrown_away.is_empty(), "{thrown_away:#?}");
}

fn journal(context: AuditContext) -> Journal {
    let sealer: Arc<dyn AuditSealer> = Arc::new(ToySealer);
    Journal::new(context, &sealer)
}

async fn change_everything(conn: &mut AsyncPgConnection) -> Result<(), StorageError> {
    let (user, now) = (an_admin("alice"), journal(context(at(0))));
    let anonymous = journal(AuditContext {
        origin: Origin::default(),
        ..context(at(0))
    });
    users::changes::insert(conn, &user, &now).await?;
    let session = a_session(user.id, at(0));
    let nowhere = NewSession {
        user_agent: None,
        address: None,
        ..a_session(user.id, at(0))
    };
    sessions::open(conn, &session, Epoch::FIRST, 100, &now).await?;
    // With one more it is time to make room.
    sessions::open(conn, &nowhere, Epoch::FIRST, 1, &anonymous).await?;
    sessions::end(conn, nowhere.id, user.id, EndReason::LoggedOut, &now).await?;
    sessions::end_all(conn, user.id, EndReason::LoggedOut, &now).await?;
    let session = a_session(user.id, at(0));
    sessions::open(conn, &session, Epoch::FIRST, 100, &now).await?;
    let authorized_by = TokenIdentity {
        user: user.id,
        session: session.id,
        epoch: Epoch::FIRST,
    };
    let password = ChangePassword {
        authorized_by,
        hash: user.hash.clone(),
        session: a_session(user.id, at(0)),
    };
    users::changes::change_password(conn, &password, &now).await?;
    users::replace_hash(conn, user.id, &user.hash, &user.hash).await?;
    change_the_catalogue(conn, &now).await?;
    shut_out(conn, user.id, &now).await?;
    sessions::remove_dead(conn, at(9), 9).await?;
    audit::trim(conn, at(9), 3, &now).await?;
    Ok(())
}

async fn change_the_catalogue(conn: &mut AsyncPgConnection, now: &Journal) -> Result<(), StorageError> {
    let name = RoleName::parse("editor").expect("a role's name");
    for permission in ["posts:write", "posts:read"] {
        let put = PutRole {
            name: name.clone(),
            description: Description::default(),
            permissions: [Permission::parse(permission).expect("a permission")].into(),
            self_assignable: false,
            precondition: Precondition::None,
            authorized_by: None,
            dry_run: false,
        };
        roles::catalogue::put(conn, &put, now).await?;
    }
    let remove = RemoveRole {
        name,
        if_revision: None,
        authorized_by: None,
        dry_run: false,
    };
    roles::catalogue::remove(conn, &remove, now).await?;
    Ok(())
}

/// Takes an admin's role, which asks for another admin, disables them, and does away with them.
async fn shut_out(conn: &mut AsyncPgConnection, user: UserId, now: &Journal) -> Result<(), StorageError> {
    let bob = an_admin("bob");
    users::changes::insert(conn, &bob, now).await?;
    users::changes::change_roles(conn, &role_change(user, &["user"]), now).await?;
    let whom = administer(user);
    for status in [UserStatus::Disabled, UserStatus::Active] {
        users::administer::set_status(conn, &whom, status, now).await?;
    }
    users::administer::reset_password(conn, &whom, &bob.hash, now).await?;
    let force = RevokeSessions {
        user,
        authorized_by: None,
    };
    sessions::revoke_sessions(conn, &force, now).await?;
    users::administer::delete(conn, &whom, now).await?;
    Ok(())
}

/// The server's own account of what the connection keeps prepared, this question left out.
async fn prepared_on(conn: &mut AsyncPgConnection) -> BTreeSet<String> {
    let question = "SELECT statement FROM pg_prepared_statements";
    let prepared: Vec<KeptPrepared> = sql_query(question).load(conn).await.expect("statements");
    let statements = prepared.into_iter().map(|it| it.statement);
    statements.filter(|it| it != question).collect()
}
