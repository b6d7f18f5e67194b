//! Proof that every statement finds its rows by an index, and that the hot ones stay prepared.

use crate::{audit, error::StorageError, migrations::MIGRATIONS, roles, session_views, sessions, users};
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent},
    sql_query,
    sql_types::Text,
};
use diesel_migrations::MigrationHarness;
use domain::{
    session::{EndReason, Generation, Rotation, SessionId},
    user::UserId,
};
use std::sync::mpsc::{Receiver, channel};
use testkit::fixtures::{at, canonical, role_names, unique_uuid};

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

fn database() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").expect("memory");
    conn.run_pending_migrations(MIGRATIONS).expect("a schema");
    conn
}

/// What `note` makes of the events of `conn` from now on.
fn record(
    conn: &mut SqliteConnection,
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

fn statement(event: &InstrumentationEvent<'_>) -> Option<String> {
    match event {
        InstrumentationEvent::StartQuery { query, .. } => Some(query.to_string()),
        _ => None,
    }
}

/// Every step of every plan of the statements that `work` executes.
fn plan_of(work: impl FnOnce(&mut SqliteConnection) -> Result<(), StorageError>) -> Vec<String> {
    let mut conn = database();
    let statements = record(&mut conn, statement);
    work(&mut conn).expect("an answer");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let statements: Vec<String> = statements.into_iter().collect();
    assert!(!statements.is_empty());
    let explain = |sql: &String| sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load::<Step>(&mut conn);
    statements
        .iter()
        .map(explain)
        .flat_map(|plan| plan.expect("a plan"))
        .map(|step| step.detail)
        .collect()
}

fn assert_indexed(name: &str, work: impl FnOnce(&mut SqliteConnection) -> Result<(), StorageError>) {
    let plan = plan_of(work);
    let by_index = plan.iter().any(|step| step.starts_with("SEARCH"));
    let bad = |step: &String| {
        step.starts_with("SCAN") && step != "SCAN CONSTANT ROW" || step.contains("TEMP B-TREE")
    };
    assert!(by_index && !plan.iter().any(bad), "{name}: {plan:#?}");
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
        from: Generation(0),
        to: Generation(1),
        at: at(0),
        idle_expires_at: at(1),
    }
}

#[test]
fn what_every_request_asks_is_found_by_index() {
    assert_indexed("view", |conn| session_views::view(conn, session()).map(drop));
    assert_indexed("find", |conn| sessions::find(conn, session()).map(drop));
    assert_indexed("login", |conn| {
        users::find_by_login(conn, &canonical("alice")).map(drop)
    });
    assert_indexed("rotate", |conn| sessions::rotate(conn, &rotation()).map(drop));
}

#[test]
fn lists_and_changes_of_many_rows_go_by_index() {
    assert_indexed("list sessions", |conn| {
        sessions::list(conn, user(), at(0)).map(drop)
    });
    assert_indexed("end sessions", |conn| {
        sessions::end_live(conn, user(), EndReason::LoggedOut, at(0)).map(drop)
    });
    assert_indexed("make room", |conn| sessions::make_room(conn, user(), 1, at(0)));
    assert_indexed("remove dead", |conn| {
        sessions::remove_dead(conn, at(0), 10).map(drop)
    });
    assert_indexed("list users", |conn| users::list(conn, "a", 10).map(drop));
    assert_indexed("any admin", |conn| users::any_admin(conn).map(drop));
    assert_indexed("roles", |conn| {
        roles::all_known(conn, &role_names(&["admin", "user"])).map(drop)
    });
    assert_indexed("audit trail", |conn| audit::of_user(conn, user()).map(drop));
}

#[test]
fn what_every_request_asks_is_prepared_once() {
    let mut conn = database();
    let prepared = record(&mut conn, |event| match event {
        InstrumentationEvent::CacheQuery { sql, .. } => Some((*sql).to_owned()),
        _ => None,
    });
    for _ in 0..3 {
        session_views::view(&mut conn, session()).expect("an answer");
        sessions::find(&mut conn, session()).expect("an answer");
        users::find_by_login(&mut conn, &canonical("alice")).expect("an answer");
    }
    drop(conn);
    assert_eq!(prepared.into_iter().count(), 3);
}
