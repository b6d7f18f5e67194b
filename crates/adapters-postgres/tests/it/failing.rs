//! Checks the results of calls while the server hangs or is unavailable, and after it recovers.

use crate::{
    IN_TIME, connect_unhurried, execute, execute_on_catalogue, first, opening, register, storage_in,
};
use adapters_postgres::{PoolSettings, PostgresDatabase, PostgresStorage};
use chrono::TimeDelta;
use diesel::{QueryableByName, sql_query, sql_types::BigInt};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl, SimpleAsyncConnection};
use domain::{
    audit::{AuditAction, AuditEvent, AuditFilter, AuditNumber},
    changes::{
        AcceptAuditLog, AssignRoles, CatalogueCommand, ChangeError, ChangePassword, Command, DeleteRole,
        DeleteUser, EndSession, EndSessions, ImportUsers, RegisterUser, RevokeSessions, SetStatus,
        TrimAuditLog,
    },
    ports::{PortError, StorageHealth},
    role::RoleName,
    session::{EndReason, Generation, NewSession, OriginFingerprint, Rotation},
    token::TokenIdentity,
    user::{Epoch, NewUser, UserFilter, UserId, UserStatus},
};
use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use testkit::{
    Storage,
    fixtures::{
        a_reset, a_role, a_session, a_user, account, an_admin, at, context, origin, role_change, role_names,
        unique_uuid,
    },
};
use testservers::{CuttingProxy, Postgres, ProxyMode, postgres};
use tokio::{task::JoinSet, time::timeout};

/// Opens storage with the time limits of service, the current schema and one user.
async fn in_service(url: &str) -> (Storage, NewUser) {
    let database = PostgresDatabase::connect(url, PoolSettings::default()).await;
    with_a_user(&database.expect("the database can be opened")).await
}

async fn with_a_user(database: &PostgresDatabase) -> (Storage, NewUser) {
    database.migrate_up().await.expect("migrating succeeds");
    let storage = storage_in(database);
    let user = an_admin("alice");
    register(&storage, &user).await;
    (storage, user)
}

type Call = Pin<Box<dyn Future<Output = Result<(), PortError>> + Send>>;

/// Returns a call with the name of its method.
fn call<T, Asked>(
    name: &'static str,
    storage: &Storage,
    ask: impl FnOnce(Storage) -> Asked,
) -> (&'static str, Call)
where
    Asked: Future<Output = Result<T, PortError>> + Send + 'static,
{
    let asked = ask(storage.clone());
    (name, Box::pin(async move { asked.await.map(drop) }))
}

/// Returns the execution of a command with its name. A refusal counts as success.
fn command(name: &'static str, storage: &Storage, command: impl Command + 'static) -> (&'static str, Call) {
    call(name, storage, |it| async move {
        answered(execute(&it, command, context(at(1))).await.map(drop))
    })
}

/// Returns the execution of a command on the catalogue with its name. A refusal counts as success.
fn on_catalogue(
    name: &'static str,
    storage: &Storage,
    command: impl CatalogueCommand + 'static,
) -> (&'static str, Call) {
    call(name, storage, |it| async move {
        let executed = execute_on_catalogue(&it, command, context(at(1)));
        answered(executed.await.map(drop))
    })
}

fn answered(result: Result<(), ChangeError>) -> Result<(), PortError> {
    match result {
        Ok(()) | Err(ChangeError::Refused(_)) => Ok(()),
        Err(ChangeError::Port(error)) => Err(error),
    }
}

/// Returns one call of each method of each port, and one execution of each command.
fn every_call(storage: &Storage, user: &NewUser) -> Vec<(&'static str, Call)> {
    let session = a_session(user.id, at(1));
    let mut calls = commands_on_users(storage, user, &session);
    calls.extend(commands_on_sessions(storage, &session));
    calls.extend(reads_of_users(storage, user));
    calls.extend(calls_of_sessions(storage, &session));
    calls.extend(calls_of_roles(storage));
    calls.extend(calls_of_the_audit_log(storage));
    calls
}

fn commands_on_users(storage: &Storage, user: &NewUser, session: &NewSession) -> Vec<(&'static str, Call)> {
    let (id, hash) = (user.id, user.hash.clone());
    let roles = AssignRoles {
        keep_sessions: true,
        ..role_change(id, &["admin", "user"])
    };
    let authorized_by = TokenIdentity {
        principal: id.into(),
        session: session.id,
        epoch: Epoch::FIRST,
    };
    let password = ChangePassword {
        authorized_by,
        hash: hash.clone(),
        // Not `session`, which another of the calls may have opened.
        session: a_session(id, at(1)),
    };
    let enable = SetStatus {
        account: account(id),
        status: UserStatus::Active,
    };
    let reset = a_reset(account(id), hash);
    let unknown = account(UserId(unique_uuid()));
    vec![
        command("register", storage, RegisterUser(a_user("late"))),
        command("assign roles", storage, roles),
        command("change password", storage, password),
        command("set status", storage, enable),
        command("reset password", storage, reset),
        command("delete user", storage, DeleteUser(unknown)),
    ]
}

fn commands_on_sessions(storage: &Storage, session: &NewSession) -> Vec<(&'static str, Call)> {
    let (user, reason) = (session.user, EndReason::LoggedOut);
    let end = EndSession {
        session: session.id,
        user,
        reason,
    };
    let authorized_by = None;
    vec![
        command("open session", storage, opening(session)),
        command("end session", storage, end),
        command("end sessions", storage, EndSessions { user, reason }),
        command("revoke sessions", storage, RevokeSessions { user, authorized_by }),
    ]
}

fn reads_of_users(storage: &Storage, user: &NewUser) -> Vec<(&'static str, Call)> {
    let (id, login, hash) = (user.id, user.login.canonical().clone(), user.hash.clone());
    vec![
        call("find_by_login", storage, |it| async move {
            it.accounts.find_by_login(&login).await
        }),
        call("replace_hash", storage, |it| async move {
            it.accounts.replace_hash(id, &hash, &hash).await
        }),
        call("dry run", storage, |it| async move {
            let command = Arc::new(role_change(id, &["admin", "user"]));
            answered(it.accounts.dry_run(command, context(at(1))).await.map(drop))
        }),
        call(
            "any_admin",
            storage,
            |it| async move { it.users.any_admin().await },
        ),
        call("list users", storage, |it| async move {
            it.users.list(UserFilter::default(), first(9)).await
        }),
        call(
            "export",
            storage,
            |it| async move { it.users.export(first(9)).await },
        ),
        call(
            "find user",
            storage,
            |it| async move { it.accounts.find(id).await },
        ),
        call("import", storage, |it| async move {
            it.users.import(ImportUsers(Vec::new()), context(at(1))).await
        }),
    ]
}

fn calls_of_roles(storage: &Storage) -> Vec<(&'static str, Call)> {
    let delete = DeleteRole {
        name: RoleName::parse("editor").expect("the name is valid"),
        if_revision: None,
        authorized_by: None,
    };
    vec![
        call("find roles", storage, |it| async move {
            it.roles.find(&role_names(&["user"])).await
        }),
        call("list roles", storage, |it| async move { it.roles.list().await }),
        on_catalogue("write role", storage, a_role("editor", &[])),
        on_catalogue("delete role", storage, delete),
        call("dry run of a role", storage, |it| async move {
            let dry_run = it.roles.dry_run(Arc::new(a_role("editor", &[])), context(at(1)));
            answered(dry_run.await.map(drop))
        }),
    ]
}

fn calls_of_the_audit_log(storage: &Storage) -> Vec<(&'static str, Call)> {
    let event = AuditEvent::new(AuditAction::LoginFailed);
    let trimming = TrimAuditLog {
        before: at(0),
        limit: 1,
    };
    vec![
        call("record", storage, |it| async move {
            it.audit_events.record(event, context(at(1))).await
        }),
        call("page of the audit log", storage, |it| async move {
            it.audit_log.page(AuditFilter::default(), None, 9).await
        }),
        call(
            "backlog",
            storage,
            |it| async move { it.audit_log.backlog().await },
        ),
        call("ends", storage, |it| async move { it.audit_log.ends().await }),
        call("rows", storage, |it| async move {
            it.audit_log.rows(AuditNumber(0), 9).await
        }),
        call("trim", storage, |it| async move {
            it.audit_log.trim(trimming, context(at(1))).await
        }),
        call("accept", storage, |it| async move {
            let command = AcceptAuditLog { known: None };
            it.audit_log.accept(command, context(at(1))).await
        }),
    ]
}

fn calls_of_sessions(storage: &Storage, session: &NewSession) -> Vec<(&'static str, Call)> {
    let (user, one) = (session.user, session.id);
    let rotation = Rotation {
        session: one,
        secret_digest: session.secret_digest,
        from: Generation(0),
        to: Generation(1),
        at: at(1),
        idle_until: at(2),
        origin: OriginFingerprint::of(&origin()),
        grace: TimeDelta::seconds(10),
    };
    vec![
        call(
            "find",
            storage,
            |it| async move { it.sessions.find(one, at(1)).await },
        ),
        call("rotate", storage, |it| async move {
            it.sessions.rotate(rotation).await
        }),
        call("snapshot", storage, |it| async move {
            it.snapshots.snapshot(one).await
        }),
        call("list sessions", storage, |it| async move {
            it.session_directory.list(user, at(1)).await
        }),
        call("remove_dead", storage, |it| async move {
            it.session_directory.remove_dead(at(1), 1).await
        }),
        call("health", storage, |it| async move { it.health.check().await }),
    ]
}

/// Asserts that all methods fail in time. Calls each three times at once, to exceed the number of
/// connections, and requests hundreds of snapshots, which share statements.
async fn assert_all_refuse_in_time(storage: &Storage, user: &NewUser) {
    let mut calls = JoinSet::new();
    let session = a_session(user.id, at(1)).id;
    let snapshot = |_| {
        call("snapshots", storage, |it| async move {
            it.snapshots.snapshot(session).await
        })
    };
    let calls_of_all = (0..3).flat_map(|_| every_call(storage, user));
    for (name, call) in calls_of_all.chain((0..500).map(snapshot)) {
        calls.spawn(async move {
            let answer = timeout(IN_TIME, call)
                .await
                .unwrap_or_else(|_| panic!("{name} hangs"));
            (name, answer)
        });
    }
    for (name, answer) in calls.join_all().await {
        let refused = matches!(answer, Err(PortError::Unavailable(_) | PortError::Overloaded));
        assert!(refused, "{name}: {answer:?}");
    }
}

/// Asserts that every method succeeds in time, and again afterwards.
async fn assert_recovers(storage: &Storage, user: &NewUser) {
    let recovered = async {
        while !all_answer(storage, user).await {
            tokio::task::yield_now().await;
        }
    };
    timeout(IN_TIME, recovered)
        .await
        .expect("the service recovers in time");
    for (name, call) in every_call(storage, user) {
        call.await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }
}

async fn all_answer(storage: &Storage, user: &NewUser) -> bool {
    for (_, call) in every_call(storage, user) {
        if call.await.is_err() {
            return false;
        }
    }
    true
}

async fn connections_of_the_service(url: &str) -> i64 {
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let mut conn = AsyncPgConnection::establish(url)
        .await
        .expect("the database accepts connections");
    let counted = sql_query(
        "SELECT count(*) FROM pg_stat_activity
         WHERE application_name = 'authapi' AND datname = current_database()",
    );
    counted
        .get_result::<Count>(&mut conn)
        .await
        .expect("the query succeeds")
        .count
}

pub fn through(proxy: &CuttingProxy, url: &str) -> String {
    url.replace(&address_of(url).to_string(), &proxy.address().to_string())
}

/// Returns the address of the server in a URL of a test.
pub fn address_of(url: &str) -> SocketAddr {
    let authority = url
        .split("//")
        .nth(1)
        .expect("the URL has a scheme")
        .split('/')
        .next()
        .expect("split returns at least one part");
    let host = authority
        .rsplit('@')
        .next()
        .expect("rsplit returns at least one part");
    host.parse().expect("the authority is an address and a port")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hanging_server_is_unavailable_in_time_and_used_again_afterwards() {
    let server = Postgres::start_own();
    let (storage, user) = in_service(server.url()).await;
    assert_recovers(&storage, &user).await;

    for _ in 0..2 {
        server.pause();
        assert_all_refuse_in_time(&storage, &user).await;
        assert_all_refuse_in_time(&storage, &user).await;
        server.resume();
        assert_recovers(&storage, &user).await;
    }

    // The server notices that a connection was dropped when it next reads from it.
    let settled = async { while connections_of_the_service(server.url()).await > 16 {} };
    timeout(IN_TIME, settled)
        .await
        .expect("the server closes abandoned connections in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restarted_server_is_used_again() {
    let server = Postgres::start_own();
    let (storage, user) = in_service(server.url()).await;
    for (name, call) in every_call(&storage, &user) {
        call.await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    }

    server.kill();
    assert_all_refuse_in_time(&storage, &user).await;
    server.restart();

    assert_recovers(&storage, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_behind_a_network_that_drops_packets_is_unavailable_in_time() {
    let fresh = postgres().fresh_database();
    let proxy = CuttingProxy::forward_to(address_of(fresh.url())).await;
    let (storage, user) = in_service(&through(&proxy, fresh.url())).await;

    proxy.set(ProxyMode::BlackHole);
    assert_all_refuse_in_time(&storage, &user).await;
    proxy.set(ProxyMode::Pass);

    assert_recovers(&storage, &user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_opens_too_late_for_one_request_serves_the_next() {
    let fresh = postgres().fresh_database();
    with_a_user(&connect_unhurried(fresh.url()).await).await;
    let proxy = CuttingProxy::forward_to(address_of(fresh.url())).await;
    let database = PostgresDatabase::connect(&through(&proxy, fresh.url()), PoolSettings::default())
        .await
        .expect("the database can be opened");
    let health = PostgresStorage::new(&database, Arc::new(testkit::ToySealer));
    // Opening takes four round trips, which exceeds the time of a request; a statement takes two.
    proxy.set(ProxyMode::Delay(Duration::from_millis(120)));
    assert!(health.check().await.is_err());
    let served = async { while health.check().await.is_err() {} };
    timeout(IN_TIME, served)
        .await
        .expect("a later request uses the connection");
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_closed_by_the_server_fail_no_call() {
    let fresh = postgres().fresh_database();
    let (storage, user) = with_a_user(&connect_unhurried(fresh.url()).await).await;
    let mut other = AsyncPgConnection::establish(fresh.url())
        .await
        .expect("the database accepts connections");
    for _ in 0..5 {
        let at_once = every_call(&storage, &user).into_iter().map(|(_, call)| call);
        for answer in at_once.collect::<JoinSet<_>>().join_all().await {
            answer.expect("the call succeeds");
        }
        other
            .batch_execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
                 WHERE application_name = 'authapi' AND datname = current_database()",
            )
            .await
            .expect("the connections can be closed");
        // The server has closed every connection; the tasks that read them must run to notice.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        for (name, call) in every_call(&storage, &user) {
            call.await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_times_out_is_rolled_back_and_holds_no_lock() {
    let fresh = postgres().fresh_database();
    let proxy = CuttingProxy::forward_to(address_of(fresh.url())).await;
    let (storage, user) = in_service(&through(&proxy, fresh.url())).await;
    // Seven round trips of 200 ms each exceed the time limit.
    proxy.set(ProxyMode::Delay(Duration::from_millis(100)));
    let session = a_session(user.id, at(1));

    let cut_off = execute(&storage, opening(&session), context(at(1))).await;

    let unavailable = matches!(cut_off, Err(ChangeError::Port(PortError::Unavailable(_))));
    assert!(unavailable, "{cut_off:?}");
    proxy.set(ProxyMode::Pass);
    let opened = async {
        while execute(&storage, opening(&session), context(at(1)))
            .await
            .is_err()
        {}
    };
    timeout(IN_TIME, opened)
        .await
        .expect("the user's row is free again");
    let done_to = AuditFilter {
        user: Some(user.id),
        ..AuditFilter::default()
    };
    storage.audit_log.seal().await;
    let events = storage
        .audit_log
        .page(done_to, None, 9)
        .await
        .expect("the events can be read");
    assert_eq!(events.len(), 2, "registered, and logged in once");
}
