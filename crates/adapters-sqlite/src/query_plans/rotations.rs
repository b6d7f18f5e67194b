//! The tables and indexes that a rotation writes.

use super::{database, record, statement};
use crate::{
    changes::{EventWriter, execute},
    tables::rotation::rotate,
};
use chrono::{DateTime, Duration, Utc};
use diesel::{
    QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{Connection, Instrumentation},
    sql_query,
    sql_types::{Integer, Text},
};
use domain::{
    changes::{Command, OpenSession, RegisterUser},
    ports::{AuditSealer, Rotated},
    session::{Generation, NewSession, OriginFingerprint, Rotation},
    user::Epoch,
};
use std::{collections::BTreeSet, sync::Arc};
use testkit::{
    ToySealer,
    fixtures::{a_session, a_user, at, context, origin},
};

/// An operation of a statement's program. Those of triggers follow, each program from address 0 on.
#[derive(QueryableByName)]
struct Operation {
    #[diesel(sql_type = Integer)]
    addr: i32,
    #[diesel(sql_type = Text)]
    opcode: String,
    #[diesel(sql_type = Integer)]
    p2: i32,
}

#[derive(QueryableByName)]
struct Tree {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Integer)]
    rootpage: i32,
}

/// A table or an index that is opened to be written, as the number of the program and a name.
/// Program 0 is the statement's own.
type Written = (usize, String);

fn written_by(conn: &mut SqliteConnection, sql: &str) -> BTreeSet<Written> {
    let trees: Vec<Tree> = sql_query("SELECT name, rootpage FROM sqlite_schema")
        .load(conn)
        .expect("the schema can be read");
    let operations: Vec<Operation> = sql_query(format!("EXPLAIN {sql}"))
        .load(conn)
        .expect("the statement can be explained");
    let mut programs = 0;
    let mut written = BTreeSet::new();
    for operation in operations {
        programs += usize::from(operation.addr == 0);
        if operation.opcode == "OpenWrite" {
            let tree = trees.iter().find(|tree| tree.rootpage == operation.p2);
            let name = tree.expect("the root page is in the schema").name.clone();
            written.insert((programs - 1, name));
        }
    }
    written
}

/// Executes `command` at `at(0)`.
fn run(conn: &mut SqliteConnection, command: &dyn Command) {
    let sealer: Arc<dyn AuditSealer> = Arc::new(ToySealer);
    let events = EventWriter::new(context(at(0)), &sealer);
    execute(conn, command, &events)
        .expect("the database is available")
        .expect("the change is allowed");
}

/// Returns a session that is opened at `at(0)`, at `created_at` by its clock.
fn opened(conn: &mut SqliteConnection, created_at: DateTime<Utc>) -> NewSession {
    let alice = a_user("alice");
    let session = a_session(alice.id, created_at);
    run(conn, &RegisterUser(alice));
    let opening = OpenSession {
        session: session.clone(),
        epoch: Epoch::FIRST,
        known: None,
        max_sessions: 9,
    };
    run(conn, &opening);
    session
}

/// Rotates `session` at `at(5)`, and returns the statements that it takes.
fn statements_of_rotation(conn: &mut SqliteConnection, session: &NewSession) -> Vec<String> {
    let rotation = Rotation {
        session: session.id,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(5),
        idle_until: session.idle_expires_at + Duration::seconds(5),
        origin: OriginFingerprint::of(&origin()),
        grace: Duration::seconds(10),
    };
    let statements = record(conn, statement);
    let rotated = rotate(conn, &rotation);
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    assert!(matches!(rotated, Ok(Rotated::Done(_))), "{rotated:?}");
    let statements = statements.into_iter().map(|sql| {
        let text = sql.split(" -- binds").next();
        text.unwrap_or_default().to_owned()
    });
    statements.collect()
}

#[test]
fn a_rotation_writes_the_index_of_ends_only_by_the_trigger_for_another_day_and_no_other_index() {
    let mut conn = database();
    let session = opened(&mut conn, at(0));
    let statements = statements_of_rotation(&mut conn, &session);
    let [update, read] = &statements[..] else {
        panic!("an update and a read are expected: {statements:#?}");
    };
    let expected: [Written; 3] = [
        (0, "sessions".to_owned()),
        (1, "sessions".to_owned()),
        (1, "sessions_by_death".to_owned()),
    ];
    assert_eq!(written_by(&mut conn, update), BTreeSet::from(expected));
    assert_eq!(written_by(&mut conn, read), BTreeSet::new());
}

#[test]
fn only_a_rotation_of_a_session_opened_under_a_clock_ahead_writes_the_other_indexes() {
    let mut conn = database();
    let session = opened(&mut conn, at(9));
    let statements = statements_of_rotation(&mut conn, &session);
    assert_eq!(statements.len(), 4, "{statements:#?}");
    let own: Vec<_> = written_by(&mut conn, &statements[1])
        .into_iter()
        .filter_map(|(program, name)| (program == 0).then_some(name))
        .collect();
    assert_eq!(own, ["sessions", "sessions_by_network", "sessions_by_user"]);
}

#[test]
fn the_trigger_runs_only_when_the_session_ends_on_another_day() {
    #[derive(QueryableByName)]
    struct Changes {
        #[diesel(sql_type = Integer)]
        total: i32,
    }
    let mut conn = database();
    opened(&mut conn, at(0));
    let mut changes = |sql: &str| {
        let before: Changes = sql_query("SELECT total_changes() AS total")
            .get_result(&mut conn)
            .expect("the changes are counted");
        sql_query(sql)
            .execute(&mut conn)
            .expect("the session can be changed");
        let after: Changes = sql_query("SELECT total_changes() AS total")
            .get_result(&mut conn)
            .expect("the changes are counted");
        after.total - before.total
    };
    let begin_of_day = "UPDATE sessions SET idle_expires_at = (dead_on + 1) * 86400000000";
    assert_eq!(changes(begin_of_day), 2);
    let last_of_day = "UPDATE sessions SET idle_expires_at = (dead_on + 1) * 86400000000 - 1";
    assert_eq!(changes(last_of_day), 1);
    let agree = "UPDATE sessions SET generation = 1 WHERE dead_on = dead_at / 86400000000";
    assert_eq!(changes(agree), 1);
}
