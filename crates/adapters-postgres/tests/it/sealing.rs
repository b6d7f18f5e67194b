//! Sealing of pending events, by several replicas and next to programs that tamper with them.

use crate::{
    IN_TIME,
    administration::{assert_chain_holds, count, fail},
    connect_unhurried, execute, fresh, open, register,
    sharing::{connect, until_a_statement_waits},
    storage_at,
};
use adapters_postgres::{Look, PostgresStorage, SealedEvents};
use chrono::{DateTime, Utc};
use diesel_async::{AsyncPgConnection, SimpleAsyncConnection};
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditFilter, AuditNumber, Backlog, Broken, Origin,
        PendingEvent,
    },
    authority::Capability,
    changes::{EndSessions, TrimAuditLog},
    core::Administration,
    ports::PortError,
    session::EndReason,
    use_cases::{VerifiedLog, VerifyAuditError, VerifyAuditRequest},
};
use std::{fmt::Write, sync::Arc};
use testkit::{
    Fakes, Storage, ToySealer,
    fixtures::{a_user, at, context},
};
use testservers::{FreshDatabase, postgres};
use tokio::time::timeout;

async fn replica(database: &FreshDatabase) -> PostgresStorage {
    PostgresStorage::new(&connect_unhurried(database.url()).await, Arc::new(ToySealer))
}

async fn verify(storage: Storage) -> Result<VerifiedLog, VerifyAuditError> {
    let ports = Fakes::default().administration_ports_over(storage);
    let administration = Administration::new(ports, Fakes::administration_rules());
    let by = Capability::of_operator();
    let request = VerifyAuditRequest::default();
    administration.verify_audit.execute(by, &request, |_| ()).await
}

async fn run(conn: &mut AsyncPgConnection, statements: &str) {
    let done = conn.batch_execute(statements).await;
    done.expect("the statements succeed");
}

/// Returns the statement by which a replica stores a failed login at `second`, under the number
/// that `values` draws.
fn pending(second: i64, values: &str) -> String {
    let context = AuditContext::new(at(second), Actor::Operator, Origin::default());
    let event = PendingEvent::new(&AuditEvent::new(AuditAction::LoginFailed), &context, &ToySealer);
    let mut mac = String::new();
    for byte in event.mac.expect("a new event has a MAC").to_bytes() {
        write!(mac, "{byte:02x}").expect("a string can be written");
    }
    let columns = "seq, at, action, actor_kind, details, mac";
    let at = context.at.to_rfc3339();
    format!(
        "INSERT INTO audit_pending ({columns})
        {values}, '{at}', 'login_failed', 'operator', '{{}}', decode('{mac}', 'hex'))"
    )
}

/// Stores a failed login at `second`, as a replica does.
async fn store(conn: &mut AsyncPgConnection, second: i64) {
    run(conn, &pending(second, "VALUES (DEFAULT")).await;
}

/// Returns the times of all sealed events, as seconds.
async fn seconds(storage: &Storage) -> Vec<i64> {
    let rows = storage.audit_log.rows(AuditNumber(0), 2_000).await;
    let rows = rows.expect("the rows can be read").into_iter();
    rows.map(|row| {
        let sealed = row.expect("the row can be parsed");
        (sealed.row.at - at(0)).num_seconds()
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sealers_of_several_replicas_number_every_event_once() {
    let fresh = postgres().fresh_database();
    let storage = storage_at(fresh.url()).await;
    let database = connect_unhurried(fresh.url()).await;
    let sealers: Vec<_> = (0..4)
        .map(|_| Arc::new(PostgresStorage::new(&database, Arc::new(ToySealer))))
        .collect();
    let writers = (0..4).map(|_| {
        let storage = storage.clone();
        tokio::spawn(async move { fail(&storage, 0..25).await })
    });
    let tasks: Vec<_> = writers
        .chain(sealers.into_iter().map(|sealer| {
            tokio::spawn(async move {
                for _ in 0..50 {
                    sealer
                        .seal_batch(Look::New)
                        .await
                        .expect("the database is available");
                }
            })
        }))
        .collect();
    for task in tasks {
        task.await.expect("the task does not panic");
    }

    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(100));
    assert_eq!(count(&fresh, "SELECT count(*) FROM audit_pending").await, 0);
    let events = "SELECT count(*) FROM audit_trail WHERE action = 'login_failed'";
    assert_eq!(count(&fresh, events).await, 100);
}

#[tokio::test]
async fn a_process_without_the_audit_key_leaves_pending_events_alone() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..2).await;
    let reader = Storage::over(&Arc::new(replica(&database).await.without_sealing()));
    assert_eq!(assert_chain_holds(&reader).await, AuditNumber(0));
    let backlog = reader.audit_log.backlog().await;
    let expected = Backlog {
        count: 2,
        oldest: Some(at(0)),
    };
    assert_eq!(backlog.expect("the events can be counted"), expected);
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(2));
}

/// Returns the numbers of the events that `replica` misses at `now`.
async fn missing_at(now: DateTime<Utc>, replica: &PostgresStorage) -> Vec<i64> {
    let missing = replica.find_missing(now).await;
    let missing = missing.expect("the database is available");
    missing.iter().map(|event| event.seq).collect()
}

async fn missing(replica: &PostgresStorage) -> Vec<i64> {
    missing_at(at(9), replica).await
}

#[tokio::test]
async fn a_replica_misses_its_event_that_was_deleted_before_it_was_sealed() {
    let (_, database) = fresh().await;
    let (writer, other) = (Arc::new(replica(&database).await), replica(&database).await);
    let storage = Storage::over(&writer);
    for replica in [&*writer, &other] {
        assert!(missing(replica).await.is_empty());
    }
    fail(&storage, 0..3).await;
    register(&storage, &a_user("alice")).await;
    assert!(missing(&writer).await.is_empty(), "they are pending");
    run(
        &mut connect(&database).await,
        "DELETE FROM audit_pending WHERE seq IN (2, 4)",
    )
    .await;

    assert_eq!(missing(&writer).await, [2, 4]);
    let sealed = other
        .seal_batch(Look::New)
        .await
        .expect("the database is available");
    assert_eq!(sealed.count, 2);
    assert_eq!(
        missing(&writer).await,
        [2, 4],
        "others were sealed by another replica"
    );
    assert!(missing(&other).await.is_empty(), "another replica wrote them");
    let found = writer.find_missing(at(9)).await;
    let found = found.expect("the database is available");
    writer.forget_missing(&found);
    assert!(missing(&writer).await.is_empty());
}

#[tokio::test]
async fn an_end_that_was_moved_back_stops_sealing_until_it_is_repaired() {
    let (storage, database) = fresh().await;
    let sealer = replica(&database).await;
    fail(&storage, 0..3).await;
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(3));
    fail(&storage, 3..4).await;
    let mut conn = connect(&database).await;
    let end = |number| {
        format!(
            "UPDATE audit_chain SET (head_number, head_seal) = (SELECT number, seal FROM audit_trail {number})"
        )
    };
    run(&mut conn, &end("WHERE number = 1")).await;

    let failed = sealer.seal_batch(Look::New).await;
    let Err(PortError::Corrupt(cause)) = failed else {
        panic!("{failed:?}");
    };
    let cause = cause.source().expect("the cause is kept").to_string();
    assert!(cause.starts_with("event 2 or a later one exists"), "{cause}");
    let found = verify(storage.clone()).await;
    let added = Broken::Added(AuditNumber(2));
    assert!(
        matches!(found, Err(VerifyAuditError::Broken(found)) if found == added),
        "{found:?}"
    );

    // The remedy of docs/audit.md.
    run(&mut conn, &end("ORDER BY number DESC LIMIT 1")).await;
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(4));
}

/// Removes events 1 and 2 by retention; returns those that their replica misses at `now`.
async fn missing_after_a_trim(now: DateTime<Utc>) -> Vec<i64> {
    let (other, database) = fresh().await;
    let writer = Arc::new(replica(&database).await);
    assert!(missing(&writer).await.is_empty());
    fail(&Storage::over(&writer), 0..3).await;
    other.audit_log.seal().await;
    let trimming = TrimAuditLog {
        before: at(9),
        limit: 10,
    };
    let removed = other.audit_log.trim(trimming, context(at(9))).await;
    assert_eq!(removed.expect("the database is available"), 2);
    missing_at(now, &writer).await
}

#[tokio::test]
async fn an_event_that_retention_removed_is_not_missing() {
    let day = 24 * 60 * 60;
    assert!(missing_after_a_trim(at(day)).await.is_empty());
}

#[tokio::test]
async fn an_event_that_is_too_young_for_retention_is_missing_although_the_base_moved() {
    assert_eq!(missing_after_a_trim(at(9)).await, [1, 2]);
}

#[tokio::test]
async fn events_are_sealed_in_the_order_in_which_they_were_written() {
    let (storage, database) = fresh().await;
    fail(&storage, (0..1_100).rev()).await;
    // Puts the first rows behind the others in the table.
    let moving = "UPDATE audit_pending SET details = details WHERE seq <= 600";
    run(&mut connect(&database).await, moving).await;

    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(1_100));

    assert!(seconds(&storage).await.into_iter().eq((0..1_100).rev()));
}

#[tokio::test]
async fn a_pending_event_that_was_forged_or_edited_is_reported_and_sealed() {
    for damage in [
        r#"UPDATE audit_pending SET details = '{"cause":"none"}' WHERE seq = 2"#,
        "UPDATE audit_pending SET at = 'infinity' WHERE seq = 2",
        "UPDATE audit_pending SET at = '-infinity' WHERE seq = 2",
        "UPDATE audit_pending SET mac = '' WHERE seq = 2",
        "UPDATE audit_pending SET mac = (SELECT mac FROM audit_pending WHERE seq = 1) WHERE seq = 2",
        "DELETE FROM audit_pending WHERE seq = 2;
        INSERT INTO audit_pending (at, action, actor_kind, details, mac)
            VALUES (now(), 'logged_in', 'operator', '{}', decode(repeat('00', 40), 'hex'))",
    ] {
        let (storage, database) = fresh().await;
        fail(&storage, 0..2).await;
        run(&mut connect(&database).await, damage).await;

        let sealed = replica(&database).await.seal_batch(Look::New).await;

        let sealed = sealed.expect("the events can be sealed");
        assert_eq!(sealed.forged, [AuditNumber(3)], "{damage}");
        assert_eq!(assert_chain_holds(&storage).await, AuditNumber(3), "{damage}");
        let rows = storage.audit_log.rows(AuditNumber(1), 1).await;
        let report = rows
            .expect("the rows can be read")
            .remove(0)
            .expect("the row can be parsed");
        assert_eq!(report.row.action, "pending_event_forged", "{damage}");
        assert_eq!(report.row.details, r#"{"number":"3"}"#, "{damage}");
    }
}

/// The third event depends on the first one, which is committed after the second.
#[tokio::test]
async fn an_event_that_is_committed_late_is_sealed_before_those_that_depend_on_it() {
    let (storage, database) = fresh().await;
    let replica = replica(&database).await;
    let (mut late, mut other) = (connect(&database).await, connect(&database).await);
    run(&mut late, "BEGIN").await;
    store(&mut late, 1).await;
    store(&mut other, 2).await;
    let sealed = replica.seal_batch(Look::New).await;
    assert_eq!(sealed.expect("the database is available").count, 1);

    run(&mut late, "COMMIT").await;
    store(&mut other, 3).await;
    let sealed = replica.seal_batch(Look::New).await;

    assert_eq!(sealed.expect("the database is available").count, 2);
    assert_eq!(seconds(&storage).await, [2, 1, 3]);
}

#[tokio::test]
async fn an_event_that_is_committed_late_is_found_by_its_number() {
    let (storage, database) = fresh().await;
    let replica = replica(&database).await;
    let (mut late, mut other) = (connect(&database).await, connect(&database).await);
    run(&mut late, "BEGIN").await;
    store(&mut late, 1).await;
    store(&mut other, 2).await;
    storage.audit_log.seal().await;
    let oldest = async || replica.oldest_pending(Look::New).await.expect("available");
    assert_eq!(oldest().await, None);

    run(&mut late, "COMMIT").await;

    assert_eq!(oldest().await.map(|oldest| oldest.seq), Some(1));
    storage.audit_log.seal().await;
    assert_eq!(oldest().await, None);
    assert_eq!(seconds(&storage).await, [2, 1]);
}

/// No replica stores such an event.
#[tokio::test]
async fn an_event_under_a_number_that_was_passed_is_found_by_a_look_at_all() {
    let (storage, database) = fresh().await;
    let replica = replica(&database).await;
    fail(&storage, 1..=3).await;
    storage.audit_log.seal().await;
    let mut other = connect(&database).await;
    let passed = "OVERRIDING SYSTEM VALUE VALUES (-9223372036854775808";
    run(&mut other, &pending(4, passed)).await;
    let oldest = async |look| replica.oldest_pending(look).await.expect("available");
    assert_eq!(oldest(Look::New).await, None);
    assert_eq!(oldest(Look::All).await.map(|oldest| oldest.seq), Some(i64::MIN));

    storage.audit_log.seal().await;

    assert_eq!(oldest(Look::All).await, None);
    assert_eq!(seconds(&storage).await, [1, 2, 3, 4]);
}

/// Another change locks the session, and commits with an event of its own.
#[tokio::test]
async fn the_event_of_a_change_that_waited_has_the_higher_number() {
    let (storage, database) = fresh().await;
    let user = a_user("alice");
    register(&storage, &user).await;
    open(&storage, &user).await;
    let mut other = connect(&database).await;
    run(&mut other, "BEGIN; SELECT * FROM sessions FOR UPDATE").await;
    let ending = EndSessions {
        user: user.id,
        reason: EndReason::LoggedOut,
    };
    let waiting = execute(&storage, ending, testkit::fixtures::context(at(1)));
    let committing = async {
        until_a_statement_waits(&database).await;
        store(&mut other, 9).await;
        run(&mut other, "COMMIT").await;
    };

    let (ended, ()) = tokio::join!(waiting, committing);

    assert_eq!(ended.expect("the session ends").sessions_ended, 1);
    storage.audit_log.seal().await;
    assert_eq!(seconds(&storage).await, [0, 0, 9, 1]);
}

#[tokio::test]
async fn a_sealer_that_ends_before_its_commit_leaves_the_events_to_others() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..3).await;
    let replica = replica(&database).await;
    let mut other = connect(&database).await;
    run(
        &mut other,
        "BEGIN; SELECT FROM audit_chain FOR UPDATE; DELETE FROM audit_pending",
    )
    .await;
    let skipped = timeout(IN_TIME / 4, replica.seal_batch(Look::New)).await;
    let skipped = skipped.expect("a held chain is skipped without waiting");
    assert_eq!(skipped.expect("available"), SealedEvents::default());

    drop(other);

    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(3));
    assert_eq!(seconds(&storage).await, [0, 1, 2]);
}

/// B-tree entries have at most 2,704 bytes, and there is an index of the actions.
#[tokio::test]
async fn a_text_that_the_log_cannot_store_is_refused_or_cut() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..1).await;
    let mut other = connect(&database).await;
    let forge = "INSERT INTO audit_pending (at, action, actor_kind, details, mac)
        SELECT now(), string_agg(md5(i::text), ''), 'operator', '{}', '' FROM generate_series(1, 100) AS i";
    assert!(other.batch_execute(forge).await.is_err());
    let unchecked = "ALTER TABLE audit_pending DROP CONSTRAINT audit_pending_is_short";
    run(&mut other, &format!("{unchecked}; {forge}")).await;
    fail(&storage, 1..2).await;

    let sealed = replica(&database).await.seal_batch(Look::New).await;

    assert_eq!(sealed.expect("the events can be sealed").forged, [AuditNumber(3)]);
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(4));
}

/// The next number is taken, so no event can be sealed.
#[tokio::test]
async fn a_log_that_cannot_be_continued_is_read_and_verified_as_far_as_it_is_sealed() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..3).await;
    storage.audit_log.seal().await;
    let moved =
        "UPDATE audit_chain SET head_number = 1, head_seal = (SELECT seal FROM audit_trail WHERE number = 1)";
    run(&mut connect(&database).await, moved).await;
    fail(&storage, 3..4).await;

    storage.audit_log.seal().await;

    let page = storage.audit_log.page(AuditFilter::default(), None, 9).await;
    assert_eq!(page.expect("the log can be read").len(), 3);
    let backlog = storage.audit_log.backlog().await;
    assert_eq!(backlog.expect("the events can be counted").count, 1);
    let verified = verify(storage).await;
    let added = Broken::Added(AuditNumber(2));
    assert!(
        matches!(verified, Err(VerifyAuditError::Broken(found)) if found == added),
        "{verified:?}"
    );
}

#[tokio::test]
async fn fewer_events_are_sealed_at_once_after_a_failure() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..1).await;
    storage.audit_log.seal().await;
    let mut other = connect(&database).await;
    let head = |number: u32| format!("UPDATE audit_chain SET head_number = {number}");
    run(&mut other, &head(0)).await;
    fail(&storage, 1..601).await;
    let replica = replica(&database).await;
    let failed = replica.seal_batch(Look::New).await;
    assert!(failed.is_err(), "the number 1 is taken: {failed:?}");
    run(&mut other, &head(1)).await;

    let mut counts = Vec::new();
    for _ in 0..3 {
        let sealed = replica.seal_batch(Look::New).await;
        counts.push(sealed.expect("the events can be sealed").count);
    }

    assert_eq!(counts, [500, 100, 0]);
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(601));
}
