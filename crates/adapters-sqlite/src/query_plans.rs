//! Query plans: every statement finds its rows by an index, and the most frequent ones stay
//! prepared.

use crate::{
    error::StorageError,
    migrations::MIGRATIONS,
    tables::{audit, audit_pages, login_facts, roles, rotation, sessions, snapshots, user_pages, users},
};
use chrono::Duration;
use diesel::{
    Connection, QueryableByName, RunQueryDsl, SqliteConnection,
    connection::{Instrumentation, InstrumentationEvent},
    sql_query,
    sql_types::Text,
};
use diesel_migrations::MigrationHarness;
use domain::{
    audit::{AuditAction, AuditFilter, AuditNumber},
    login::LoginPrefix,
    ports::PlaceQuery,
    role::RoleName,
    session::{EndReason, Generation, OriginFingerprint, Rotation, SecretDigest, SessionId},
    throttle::Network,
    user::{UserFilter, UserId, UserPage, UserStatus},
};
use std::{
    net::Ipv4Addr,
    sync::mpsc::{Receiver, channel},
};
use testkit::fixtures::{at, canonical, origin, role_names, unique_uuid};

mod rotations;

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

fn database() -> SqliteConnection {
    let mut conn = SqliteConnection::establish(":memory:").expect("a database in memory can be opened");
    conn.run_pending_migrations(MIGRATIONS)
        .expect("migrating succeeds");
    conn
}

/// Records what `note` returns for the events of `conn` from now on.
fn record(
    conn: &mut SqliteConnection,
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

fn statement(event: &InstrumentationEvent<'_>) -> Option<String> {
    match event {
        InstrumentationEvent::StartQuery { query, .. } => Some(query.to_string()),
        _ => None,
    }
}

/// Returns every step of every plan of the statements that `work` executes.
fn plan_of(work: impl FnOnce(&mut SqliteConnection) -> Result<(), StorageError>) -> Vec<String> {
    let mut conn = database();
    let statements = record(&mut conn, statement);
    work(&mut conn).expect("the work succeeds");
    conn.set_instrumentation(None::<Box<dyn Instrumentation>>);
    let statements: Vec<String> = statements.into_iter().collect();
    assert!(!statements.is_empty());
    let explain = |sql: &String| sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load::<Step>(&mut conn);
    statements
        .iter()
        .map(explain)
        .flat_map(|plan| plan.expect("the statement can be explained"))
        .map(|step| step.detail)
        .collect()
}

/// Returns whether every table is searched by an index.
fn searches(plan: &[String]) -> bool {
    let scans = |step: &String| step.starts_with("SCAN") && step != "SCAN CONSTANT ROW";
    plan.iter().any(|step| step.starts_with("SEARCH")) && !plan.iter().any(scans)
}

fn assert_indexed(name: &str, work: impl FnOnce(&mut SqliteConnection) -> Result<(), StorageError>) {
    let plan = plan_of(work);
    let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE"));
    assert!(searches(&plan) && !sorts, "{name}: {plan:#?}");
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

#[test]
fn reads_of_every_request_use_an_index() {
    assert_indexed("snapshot", |conn| snapshots::find(conn, session()).map(drop));
    assert_indexed("find", |conn| rotation::find(conn, session(), at(0)).map(drop));
    assert_indexed("login", |conn| {
        login_facts::find(conn, &canonical("alice"), places()).map(drop)
    });
    assert_indexed("rotate", |conn| rotation::rotate(conn, &rotation()).map(drop));
}

#[test]
fn reads_of_commands_use_an_index() {
    assert_indexed("login taken", |conn| {
        users::has_login(conn, &canonical("alice")).map(drop)
    });
    assert_indexed("account", |conn| users::account(conn, user()).map(drop));
    assert_indexed("account with live sessions", |conn| {
        sessions::account_with_live(conn, user(), at(0)).map(drop)
    });
    assert_indexed("target", |conn| users::target(conn, user()).map(drop));
    assert_indexed("another admin", |conn| {
        roles::any_admin_but(conn, user()).map(drop)
    });
    assert_indexed("owned session", |conn| sessions::find(conn, session()).map(drop));
    assert_indexed("sessions to end", |conn| {
        sessions::count_live(conn, user(), at(0)).map(drop)
    });
    assert_indexed("roles", |conn| {
        roles::find(conn, &role_names(&["admin", "user"])).map(drop)
    });
    assert_indexed("holders", |conn| roles::holders(conn, &RoleName::USER).map(drop));
    assert_indexed("taken logins", |conn| {
        let logins = ["alice", "bob"].map(canonical);
        user_pages::taken_logins(conn, &logins.each_ref()).map(drop)
    });
}

#[test]
fn lists_and_changes_of_many_rows_use_an_index() {
    assert_indexed("list sessions", |conn| {
        sessions::list(conn, user(), at(0)).map(drop)
    });
    assert_indexed("end sessions", |conn| {
        sessions::end_live(conn, user(), EndReason::LoggedOut, at(0)).map(drop)
    });
    assert_indexed("reauthenticate", |conn| {
        sessions::reauthenticate(conn, session(), at(0))
    });
    assert_indexed("end a session", |conn| {
        sessions::end(conn, session(), EndReason::LoggedOut, at(0)).map(drop)
    });
    assert_indexed("remove dead", |conn| {
        sessions::remove_dead(conn, at(0), 10).map(drop)
    });
    assert_indexed("any admin", |conn| roles::any_admin(conn).map(drop));
    assert_indexed("find user", |conn| users::find(conn, user()).map(drop));
    assert_indexed("export", |conn| user_pages::export(conn, &page()).map(drop));
}

fn page() -> UserPage {
    UserPage {
        after: Some(canonical("alice")),
        limit: 10,
    }
}

#[test]
fn every_page_of_users_is_a_range_of_an_index() {
    let login = LoginPrefix::parse("ali").ok();
    let by_login = "sqlite_autoindex_users_2 (canonical_login>?";
    let by_status = "users_by_status (status=? AND canonical_login>?";
    let by_role = "user_roles_by_login (role=? AND canonical_login>?";
    let by_both = "user_roles_by_status (role=? AND status=? AND canonical_login>?";
    for (role, status, index) in [
        (None, None, by_login),
        (None, Some(UserStatus::Active), by_status),
        (None, Some(UserStatus::Disabled), by_status),
        (Some(RoleName::USER), None, by_role),
        (Some(RoleName::USER), Some(UserStatus::Active), by_both),
        (Some(RoleName::USER), Some(UserStatus::Disabled), by_both),
    ] {
        for login in [None, login.clone()] {
            let filter = UserFilter {
                login,
                role: role.clone(),
                status,
            };
            let name = format!("{filter:?}");
            let range = if filter.login.is_some() {
                format!("{index} AND canonical_login<?)")
            } else {
                format!("{index})")
            };
            let plan = plan_of(|conn| user_pages::list(conn, &filter, &page()).map(drop));
            assert!(
                plan.iter().any(|step| step.ends_with(&range)),
                "{name}: {plan:#?}"
            );
            assert_indexed(&name, |conn| user_pages::list(conn, &filter, &page()).map(drop));
        }
    }
}

type Narrow = fn(&mut AuditFilter);

#[test]
fn every_page_of_the_audit_log_uses_an_index() {
    let narrowings: [(Narrow, &str); 4] = [
        (|_| (), "INTEGER PRIMARY KEY (rowid<?)"),
        (
            |filter| filter.user = Some(user()),
            "audit_trail_by_user (user_id=? AND number<?)",
        ),
        (
            |filter| filter.actor = Some(user()),
            "audit_trail_by_actor (actor_id=? AND number<?)",
        ),
        (
            |filter| filter.action = Some(AuditAction::LoggedIn),
            "audit_trail_by_action (action=? AND number<?)",
        ),
    ];
    for (narrow, index) in narrowings {
        let mut filter = AuditFilter::default();
        narrow(&mut filter);
        for within in [false, filter != AuditFilter::default()] {
            filter.from = within.then(|| at(0));
            filter.until = within.then(|| at(9));
            let ask = |conn: &mut SqliteConnection| audit_pages::page(conn, &filter, None, 10).map(drop);
            let plan = plan_of(ask);
            assert!(
                plan.iter().any(|step| step.ends_with(index)),
                "{filter:?}: {plan:#?}"
            );
            assert_indexed(index, ask);
        }
    }
}

#[test]
fn a_page_of_the_audit_log_by_time_alone_reads_the_index_of_times_alone() {
    for (from, until) in [(true, true), (true, false), (false, true)] {
        let filter = AuditFilter {
            from: from.then(|| at(0)),
            until: until.then(|| at(9)),
            ..AuditFilter::default()
        };
        let plan = plan_of(|conn| audit_pages::page(conn, &filter, Some(AuditNumber(9)), 10).map(drop));
        let index = "COVERING INDEX audit_trail_by_time (at>? AND at<?)";
        let by_time = plan.iter().any(|step| step.ends_with(index));
        assert!(by_time && searches(&plan), "{filter:?}: {plan:#?}");
    }
}

#[test]
fn the_audit_chain_is_followed_and_trimmed_by_number() {
    assert_indexed("rows", |conn| {
        audit_pages::rows(conn, AuditNumber(7), 10).map(drop)
    });
    assert_indexed("ends", |conn| audit::ends(conn).map(drop));
    let range = "INTEGER PRIMARY KEY (rowid<?)";
    let oldest = plan_of(|conn| audit::oldest(conn, AuditNumber(7), 10).map(drop));
    assert!(oldest.iter().all(|step| step.ends_with(range)), "{oldest:#?}");
    assert_indexed("remove", |conn| {
        audit::remove(conn, AuditNumber(1), AuditNumber(7))
    });
}

#[test]
fn reads_of_every_request_are_prepared_once() {
    let mut conn = database();
    let prepared = record(&mut conn, |event| match event {
        InstrumentationEvent::CacheQuery { sql, .. } => Some((*sql).to_owned()),
        _ => None,
    });
    for _ in 0..3 {
        snapshots::find(&mut conn, session()).expect("the snapshot can be read");
        rotation::find(&mut conn, session(), at(0)).expect("the session can be read");
        login_facts::find(&mut conn, &canonical("alice"), places()).expect("the user can be read");
    }
    drop(conn);
    assert_eq!(prepared.into_iter().count(), 3);
}
