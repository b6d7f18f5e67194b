//! Several connections, programs and callers on one database.

use crate::{
    IN_TIME, connect_unhurried, execute, first, fresh, open, opening, register, storage_at, storage_in,
};
use adapters_postgres::{PoolSettings, PostgresDatabase};
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use domain::{
    audit::{AuditFilter, AuditNumber},
    authority::Denied,
    changes::{AssignRoles, ChangeError, EndSession, EndSessions, Refusal, RegisterUser, SetStatus},
    ports::PortError,
    session::EndReason,
    token::TokenIdentity,
    user::{Epoch, UserFilter, UserStatus},
};
use std::{pin::pin, time::Duration};
use testkit::{
    Storage,
    fixtures::{a_session, a_user, account, an_admin, at, canonical, context, role_change, role_names},
};
use testservers::FreshDatabase;
use tokio::time::{Instant, timeout};

pub async fn connect(database: &FreshDatabase) -> AsyncPgConnection {
    AsyncPgConnection::establish(database.url())
        .await
        .expect("the database accepts connections")
}

/// Opens the storage of `database` with the time limits of service.
async fn in_service(database: &FreshDatabase, max_size: usize) -> Storage {
    let settings = PoolSettings {
        max_size,
        ..PoolSettings::default()
    };
    let database = PostgresDatabase::connect(database.url(), settings).await;
    storage_in(&database.expect("the database can be opened"))
}

#[tokio::test]
async fn a_replica_sees_changes_of_another_immediately() {
    let (replica, database) = fresh().await;
    let user = a_user("alice");
    for user in [&user, &an_admin("keeper")] {
        register(&replica, user).await;
    }
    let session = open(&replica, &user).await;
    let another = storage_at(database.url()).await;

    for epoch in 1..20 {
        let roles = role_names(if epoch % 2 == 0 { &["user"] } else { &["admin"] });
        let change = AssignRoles {
            roles: roles.clone(),
            keep_sessions: true,
            ..role_change(user.id, &[])
        };
        let changed = execute(&another, change, context(at(0))).await;
        changed.expect("the roles are assigned");

        let snapshot = replica
            .snapshots
            .snapshot(session.id)
            .await
            .expect("the snapshot can be read");
        let shown = snapshot.expect("the session exists").principal;
        assert_eq!((shown.epoch(), shown.roles()), (Epoch(epoch), &roles));
    }
}

#[tokio::test]
async fn a_blocked_writer_is_overloaded_in_time() {
    let (setup, database) = fresh().await;
    let user = a_user("alice");
    register(&setup, &user).await;
    let storage = in_service(&database, 4).await;
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; SELECT * FROM users FOR UPDATE")
        .await
        .expect("the lock is free");
    let session = a_session(user.id, at(0));
    let open = || execute(&storage, opening(&session), context(at(0)));
    let asked = Instant::now();

    let kept_waiting = open().await;

    assert!(
        matches!(kept_waiting, Err(ChangeError::Port(PortError::Overloaded))),
        "{kept_waiting:?}"
    );
    assert!(asked.elapsed() < IN_TIME, "{:?}", asked.elapsed());
    storage
        .accounts
        .find_by_login(&canonical("alice"))
        .await
        .expect("readers do not wait for writers");
    other
        .batch_execute("ROLLBACK")
        .await
        .expect("the transaction can be rolled back");
    open().await.expect("the session is opened");
}

#[tokio::test]
async fn a_caller_without_a_connection_is_overloaded() {
    let (setup, database) = fresh().await;
    let user = a_user("alice");
    register(&setup, &user).await;
    let settings = PoolSettings {
        max_size: 1,
        acquire_timeout: Duration::from_millis(50),
        ..PoolSettings::default()
    };
    let service = PostgresDatabase::connect(database.url(), settings).await;
    let storage = storage_in(&service.expect("the database can be opened"));
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; LOCK TABLE sessions")
        .await
        .expect("the lock is free");
    let one = a_session(user.id, at(0)).id;
    // Occupies the connection until the wait for the lock times out.
    let mut finding = pin!(storage.sessions.find(one, at(0)));
    let refused = async {
        let answers = tokio::join!(storage.snapshots.snapshot(one), storage.users.any_admin());
        (answers.0.map(drop), answers.1.map(drop))
    };

    let answers = tokio::select! {
        biased;
        found = &mut finding => panic!("{found:?} came first"),
        answers = refused => answers,
    };

    for answer in [answers.0, answers.1] {
        assert!(matches!(answer, Err(PortError::Overloaded)), "{answer:?}");
    }
    let found = finding.await;
    assert!(matches!(found, Err(PortError::Overloaded)), "{found:?}");
}

/// The first statement of the transaction waits for a row that changes meanwhile.
#[tokio::test]
async fn a_change_that_waited_reads_what_was_committed_meanwhile() {
    let (storage, database) = fresh().await;
    let (alice, bob) = (an_admin("alice"), an_admin("bob"));
    for user in [&alice, &bob] {
        register(&storage, user).await;
    }
    let mut other = connect(&database).await;
    // Another transaction removes a role of alice and has not committed yet.
    other
        .batch_execute(&format!(
            "BEGIN; UPDATE users SET token_epoch = 1 WHERE id = '{id}';
             DELETE FROM user_roles WHERE role = 'admin' AND user_id = '{id}'",
            id = alice.id
        ))
        .await
        .expect("the statements succeed");
    let disabling = SetStatus {
        account: account(alice.id),
        status: UserStatus::Disabled,
    };
    let waiting = execute(&storage, disabling, context(at(1)));
    let committing = async {
        until_a_statement_waits(&database).await;
        other
            .batch_execute("COMMIT")
            .await
            .expect("the transaction can be committed");
    };

    let (changed, ()) = tokio::join!(waiting, committing);

    let applied = changed.expect("bob is still an admin");
    let user = applied.into_user().expect("the command returns the user");
    assert_eq!((user.epoch, user.roles), (Epoch(2), role_names(&["user"])));
}

/// Another transaction ends the caller's session and has not committed yet.
#[tokio::test]
async fn a_change_by_a_session_that_is_being_ended_waits_and_is_stale() {
    let (storage, database) = fresh().await;
    let (alice, bob) = (an_admin("alice"), a_user("bob"));
    for user in [&alice, &bob] {
        register(&storage, user).await;
    }
    let session = open(&storage, &alice).await;
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; UPDATE sessions SET revoked_at = created_at, revoke_reason = 'logged_out'")
        .await
        .expect("the session can be ended");
    let change = AssignRoles {
        keep_sessions: true,
        authorized_by: Some(TokenIdentity {
            principal: alice.id.into(),
            session: session.id,
            epoch: Epoch::FIRST,
        }),
        ..role_change(bob.id, &["admin"])
    };
    let committing = async {
        until_a_statement_waits(&database).await;
        other
            .batch_execute("COMMIT")
            .await
            .expect("the transaction can be committed");
    };

    let both = async { tokio::join!(execute(&storage, change, context(at(1))), committing) };

    let (changed, ()) = timeout(Duration::from_secs(10), both)
        .await
        .expect("the change completes in time");
    let stale = matches!(changed, Err(ChangeError::Refused(Refusal::Denied(Denied::Stale))));
    assert!(stale, "{changed:?}");
}

/// A sealer that hangs delays readers of the audit log, and no change.
#[tokio::test]
async fn a_session_ends_while_another_program_holds_the_chain() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    let session = open(&storage, &user).await;
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; UPDATE audit_chain SET head_number = head_number")
        .await
        .expect("the lock is free");
    let ending = EndSession {
        session: session.id,
        user: user.id,
        reason: EndReason::LoggedOut,
    };

    let ended = execute(&storage, ending, context(at(1))).await;

    assert_eq!(ended.expect("the session ends").sessions_ended, 1);
    let committing = async {
        until_a_statement_waits(&database).await;
        other
            .batch_execute("COMMIT")
            .await
            .expect("the transaction can be committed");
    };
    tokio::join!(storage.audit_log.seal(), committing);
    let ends = storage.audit_log.ends().await;
    assert_eq!(
        ends.expect("the ends of the chain can be read").head.number,
        AuditNumber(3),
        "registered, logged in, logged out"
    );
}

/// Transactions of this adapter do not deadlock with each other, but other programs may take locks
/// in another order.
#[tokio::test]
async fn a_transaction_rolled_back_by_a_deadlock_is_retried() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    open(&storage, &user).await;
    let mark = if database.url().contains('?') { '&' } else { '?' };
    // The transaction that detects a deadlock is rolled back: the storage checks for one first.
    let url = format!("{}{mark}options=-c%20deadlock_timeout%3D1s", database.url());
    let storage = storage_in(&connect_unhurried(&url).await);
    let mut other = connect(&database).await;
    for _ in 0..10 {
        other
            .batch_execute("SET deadlock_timeout = '1min'; BEGIN; SELECT * FROM sessions FOR UPDATE")
            .await
            .expect("the lock is free");
        let ending = EndSessions {
            user: user.id,
            reason: EndReason::LoggedOut,
        };
        let ending = execute(&storage, ending, context(at(0)));
        let deadlocking = async {
            until_a_statement_waits(&database).await;
            other
                .batch_execute("SELECT * FROM users FOR UPDATE; COMMIT")
                .await
                .expect("the other transaction locks the rows");
        };

        match tokio::join!(ending, deadlocking).0 {
            // On a busy machine, the deadlock may be complete only after the storage has checked.
            Err(ChangeError::Port(PortError::Overloaded)) => {}
            ended => {
                assert_eq!(ended.expect("the session ends").sessions_ended, 1);
                return;
            }
        }
    }
    panic!("no deadlock was complete in time");
}

pub async fn until_a_statement_waits(database: &FreshDatabase) {
    use diesel::{QueryableByName, sql_query, sql_types::BigInt};
    use diesel_async::RunQueryDsl;
    #[derive(QueryableByName)]
    struct Count {
        #[diesel(sql_type = BigInt)]
        count: i64,
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let mut conn = connect(database).await;
    loop {
        let waiting: Count = sql_query(waiting)
            .get_result(&mut conn)
            .await
            .expect("the query succeeds");
        if waiting.count > 0 {
            return;
        }
    }
}

/// Runs on one thread, like the runtimes of actix-web.
#[tokio::test(flavor = "current_thread")]
async fn callers_that_stop_waiting_leave_every_connection_usable() {
    let (storage, _database) = fresh().await;
    for round in 0..50 {
        let user = a_user(&format!("user-{round}"));
        let registering = execute(&storage, RegisterUser(user), context(at(0)));
        let _ = timeout(Duration::ZERO, registering).await;
        let _ = timeout(
            Duration::ZERO,
            storage.accounts.find_by_login(&canonical("user-0")),
        )
        .await;
        storage
            .health
            .check()
            .await
            .expect("a reading connection is free");
    }
    register(&storage, &a_user("alice")).await;
    storage.audit_log.seal().await;
    for user in storage
        .users
        .list(UserFilter::default(), first(100))
        .await
        .expect("the users can be listed")
    {
        let done_to = AuditFilter {
            user: Some(user.id),
            ..AuditFilter::default()
        };
        let events = storage
            .audit_log
            .page(done_to, None, 9)
            .await
            .expect("the events can be read");
        assert_eq!(
            events.len(),
            1,
            "a registration and its event are stored together or not at all"
        );
    }
}

/// Each worker of actix-web has its own runtime, which may end before the others.
#[test]
fn connections_outlive_the_runtime_of_their_caller() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("the runtime can be built")
    };
    let home = runtime();
    let (storage, _database) = home.block_on(fresh());
    for _ in 0..3 {
        let worker = runtime();
        worker
            .block_on(storage.health.check())
            .expect("the database responds");
        drop(worker);
    }
}

#[tokio::test]
async fn a_row_that_does_not_parse_is_corrupt() {
    let (storage, database) = fresh().await;
    register(&storage, &a_user("alice")).await;
    let mut conn = connect(&database).await;
    for damage in ["login = ''", "created_at = 'infinity'"] {
        conn.batch_execute(&format!("UPDATE users SET {damage}"))
            .await
            .expect("the row can be damaged");
        let found = storage.accounts.find_by_login(&canonical("alice")).await;
        assert!(matches!(found, Err(PortError::Corrupt(_))), "{damage}: {found:?}");
        conn.batch_execute("UPDATE users SET login = 'alice'")
            .await
            .expect("the row can be repaired");
    }
}

#[tokio::test]
async fn a_cleanup_skips_sessions_that_another_replica_removes() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    for second in 0..20 {
        let session = a_session(user.id, at(second));
        let opened = execute(&storage, opening(&session), context(at(second))).await;
        opened.expect("the session is opened");
    }
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; SELECT * FROM sessions ORDER BY dead_on LIMIT 5 FOR UPDATE")
        .await
        .expect("the sessions can be locked");
    let much_later = at(0) + chrono::Duration::days(365);
    let removed = async |limit| storage.session_directory.remove_dead(much_later, limit).await;

    assert!(matches!(removed(10).await, Ok(10)));
    assert!(matches!(removed(10).await, Ok(5)));
    other
        .batch_execute("ROLLBACK")
        .await
        .expect("the transaction can be rolled back");
    assert!(matches!(removed(10).await, Ok(5)));
}
