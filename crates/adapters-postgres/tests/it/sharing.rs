//! Several connections, programs and callers on one database.

use crate::{execute, first, fresh, open, opening, patient, register, storage_at, storage_in};
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
        .expect("a connection")
}

/// The same storage as a server uses it: with the limits of service.
async fn in_service(database: &FreshDatabase, max_size: usize) -> Storage {
    let settings = PoolSettings {
        max_size,
        ..PoolSettings::default()
    };
    let database = PostgresDatabase::connect(database.url(), settings).await;
    storage_in(&database.expect("a database"))
}

#[tokio::test]
async fn a_replica_sees_at_once_what_another_did() {
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
        changed.expect("other roles");

        let snapshot = replica.snapshots.snapshot(session.id).await.expect("an answer");
        let user = snapshot.expect("a view").user;
        assert_eq!((user.epoch, user.roles), (Epoch(epoch), roles));
    }
}

#[tokio::test]
async fn a_writer_that_is_kept_waiting_is_told_within_a_second() {
    let (patient, database) = fresh().await;
    let user = a_user("alice");
    register(&patient, &user).await;
    let storage = in_service(&database, 4).await;
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; SELECT * FROM users FOR UPDATE")
        .await
        .expect("a lock");
    let session = a_session(user.id, at(0));
    let open = || execute(&storage, opening(&session), context(at(0)));
    let asked = Instant::now();

    let kept_waiting = open().await;

    assert!(
        matches!(kept_waiting, Err(ChangeError::Port(PortError::Overloaded))),
        "{kept_waiting:?}"
    );
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    storage
        .accounts
        .find_by_login(&canonical("alice"))
        .await
        .expect("readers that do not wait for writers");
    other.batch_execute("ROLLBACK").await.expect("the end of it");
    open().await.expect("a session");
}

#[tokio::test]
async fn who_gets_no_connection_is_told_that_it_is_too_much() {
    let (patient, database) = fresh().await;
    let user = a_user("alice");
    register(&patient, &user).await;
    let settings = PoolSettings {
        max_size: 1,
        acquire_timeout: Duration::from_millis(50),
        ..PoolSettings::default()
    };
    let service = PostgresDatabase::connect(database.url(), settings).await;
    let storage = storage_in(&service.expect("a database"));
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; LOCK TABLE sessions")
        .await
        .expect("a lock");
    let one = a_session(user.id, at(0)).id;
    // Has the connection until the lock has been waited for long enough.
    let mut finding = pin!(storage.sessions.find(one));
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

/// What a transaction waits for at its first statement, and what has changed when the wait is over.
#[tokio::test]
async fn a_change_that_waited_goes_by_what_it_finds_then() {
    let (storage, database) = fresh().await;
    let (alice, bob) = (an_admin("alice"), an_admin("bob"));
    for user in [&alice, &bob] {
        register(&storage, user).await;
    }
    let mut other = connect(&database).await;
    // Somebody takes a role from alice and has not committed yet.
    other
        .batch_execute(&format!(
            "BEGIN; UPDATE users SET token_epoch = 1 WHERE id = '{id}';
             DELETE FROM user_roles WHERE role = 'admin' AND user_id = '{id}'",
            id = alice.id
        ))
        .await
        .expect("a change");
    let disabling = SetStatus {
        account: account(alice.id),
        status: UserStatus::Disabled,
    };
    let waiting = execute(&storage, disabling, context(at(1)));
    let committing = async {
        until_somebody_waits(&database).await;
        other.batch_execute("COMMIT").await.expect("a commit");
    };

    let (changed, ()) = tokio::join!(waiting, committing);

    let applied = changed.expect("bob is an admin still");
    let user = applied.into_user().expect("a user");
    assert_eq!((user.epoch, user.roles), (Epoch(2), role_names(&["user"])));
}

/// The caller's own session is being ended, and it is not known yet whether that will be kept.
#[tokio::test]
async fn a_change_on_the_word_of_a_session_that_is_being_ended_waits_and_is_stale() {
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
        .expect("an end");
    let change = AssignRoles {
        keep_sessions: true,
        authorized_by: Some(TokenIdentity {
            user: alice.id,
            session: session.id,
            epoch: Epoch::FIRST,
        }),
        ..role_change(bob.id, &["admin"])
    };
    let committing = async {
        until_somebody_waits(&database).await;
        other.batch_execute("COMMIT").await.expect("a commit");
    };

    let both = async { tokio::join!(execute(&storage, change, context(at(1))), committing) };

    let (changed, ()) = timeout(Duration::from_secs(10), both)
        .await
        .expect("somebody who waits");
    let stale = matches!(changed, Err(ChangeError::Refused(Refusal::Denied(Denied::Stale))));
    assert!(stale, "{changed:?}");
}

/// A session ends in the statement that waits for the audit chain, which is another row by then.
#[tokio::test]
async fn a_session_ends_although_the_chain_grows_while_it_waits() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    let session = open(&storage, &user).await;
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; UPDATE audit_chain SET head_number = head_number")
        .await
        .expect("a lock");
    let ending = EndSession {
        session: session.id,
        user: user.id,
        reason: EndReason::LoggedOut,
    };
    let committing = async {
        until_somebody_waits(&database).await;
        other.batch_execute("COMMIT").await.expect("a commit");
    };

    let (ended, ()) = tokio::join!(execute(&storage, ending, context(at(1))), committing);

    assert_eq!(ended.expect("an end").sessions_ended, 1);
    let snapshot = storage.snapshots.snapshot(session.id).await.expect("an answer");
    let ended = snapshot.expect("a session").lifetime.ended;
    assert_eq!(ended, Some(EndReason::LoggedOut));
    let ends = storage.audit_log.ends().await.expect("a chain");
    assert_eq!(
        ends.head.number,
        AuditNumber(3),
        "registered, logged in, logged out"
    );
}

/// Nothing here deadlocks with itself; whoever else works on the database may.
#[tokio::test]
async fn a_transaction_that_had_to_give_way_is_done_again() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    open(&storage, &user).await;
    let mark = if database.url().contains('?') { '&' } else { '?' };
    // Who finds the circle breaks it: the storage looks for one long before the other does.
    let url = format!("{}{mark}options=-c%20deadlock_timeout%3D500ms", database.url());
    let storage = storage_in(&patient(&url).await);
    let mut other = connect(&database).await;
    other
        .batch_execute("SET deadlock_timeout = '20s'; BEGIN; SELECT * FROM sessions FOR UPDATE")
        .await
        .expect("a lock");
    let ending = EndSessions {
        user: user.id,
        reason: EndReason::LoggedOut,
    };
    let ending = execute(&storage, ending, context(at(0)));
    let closing_the_circle = async {
        until_somebody_waits(&database).await;
        other
            .batch_execute("SELECT * FROM users FOR UPDATE; COMMIT")
            .await
            .expect("the other to pass");
    };

    let (ended, ()) = tokio::join!(ending, closing_the_circle);

    assert_eq!(ended.expect("an end").sessions_ended, 1);
}

pub async fn until_somebody_waits(database: &FreshDatabase) {
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
        let waiting: Count = sql_query(waiting).get_result(&mut conn).await.expect("a count");
        if waiting.count > 0 {
            return;
        }
    }
}

/// On a runtime with one thread, as each of actix-web's is.
#[tokio::test(flavor = "current_thread")]
async fn callers_that_lose_patience_leave_every_connection_usable() {
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
        storage.health.check().await.expect("a reader");
    }
    register(&storage, &a_user("alice")).await;
    for user in storage
        .users
        .list(UserFilter::default(), first(100))
        .await
        .expect("users")
    {
        let done_to = AuditFilter {
            user: Some(user.id),
            ..AuditFilter::default()
        };
        let trail = storage.audit_log.page(done_to, None, 9).await.expect("a trail");
        assert_eq!(trail.len(), 1, "whole or not at all");
    }
}

/// actix-web's workers each have a runtime of their own, and it may end before the others do.
#[test]
fn connections_outlive_the_runtime_that_asked_for_them() {
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .expect("a runtime")
    };
    let home = runtime();
    let (storage, _database) = home.block_on(fresh());
    for _ in 0..3 {
        let worker = runtime();
        worker.block_on(storage.health.check()).expect("an answer");
        drop(worker);
    }
}

#[tokio::test]
async fn a_row_that_nobody_wrote_is_corrupt() {
    let (storage, database) = fresh().await;
    register(&storage, &a_user("alice")).await;
    let mut conn = connect(&database).await;
    for damage in ["login = ''", "created_at = 'infinity'"] {
        conn.batch_execute(&format!("UPDATE users SET {damage}"))
            .await
            .expect("damage");
        let found = storage.accounts.find_by_login(&canonical("alice")).await;
        assert!(matches!(found, Err(PortError::Corrupt(_))), "{damage}: {found:?}");
        conn.batch_execute("UPDATE users SET login = 'alice'")
            .await
            .expect("a repair");
    }
}

/// Replicas that clean up at once share the work.
#[tokio::test]
async fn who_cleans_up_passes_over_what_another_cleans_up() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    for second in 0..20 {
        let session = a_session(user.id, at(second));
        let opened = execute(&storage, opening(&session), context(at(second))).await;
        opened.expect("a session");
    }
    let mut other = connect(&database).await;
    other
        .batch_execute("BEGIN; SELECT * FROM sessions ORDER BY dead_at LIMIT 5 FOR UPDATE")
        .await
        .expect("five of them");
    let much_later = at(0) + chrono::Duration::days(365);
    let removed = async |limit| storage.session_directory.remove_dead(much_later, limit).await;

    assert!(matches!(removed(10).await, Ok(10)));
    assert!(matches!(removed(10).await, Ok(5)));
    other.batch_execute("ROLLBACK").await.expect("the end of it");
    assert!(matches!(removed(10).await, Ok(5)));
}
