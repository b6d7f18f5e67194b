//! Replicas of the previous version write to the audit log while they are replaced.

use crate::{
    administration::{assert_chain_holds, fail},
    connect_unhurried, fresh,
    sharing::connect,
};
use diesel_async::SimpleAsyncConnection;
use domain::{
    audit::{
        Actor, AuditAction, AuditContext, AuditEvent, AuditNumber, AuditRow, Broken, ChainEnd, KeyTrace,
        Origin, StoredCheckpoint,
    },
    authority::Capability,
    core::Administration,
    ports::AuditSealer,
    use_cases::{FirstCheckpoint, Signing, VerifyAuditError, VerifyAuditRequest},
};
use testkit::{Fakes, Storage, ToySealer, fixtures::at};
use testservers::FreshDatabase;

/// Appends an event as the previous version does: under the lock of the chain, without a MAC.
async fn append_as_the_previous_version(storage: &Storage, database: &FreshDatabase) {
    storage.audit_log.seal().await;
    let ends = storage.audit_log.ends().await;
    let head = ends.expect("the ends of the chain can be read").head;
    let context = AuditContext::new(at(9), Actor::Operator, Origin::default());
    let row = AuditRow::new(head.next(), &AuditEvent::new(AuditAction::LoginFailed), &context);
    let ChainEnd { number, seal } = head.seal_next(&row, &ToySealer);
    let statements = format!(
        "BEGIN; SELECT FROM audit_chain FOR UPDATE;
        INSERT INTO audit_trail (number, at, action, actor_kind, details, seal)
            VALUES ({number}, '{}', 'login_failed', 'operator', '{{}}', decode('{seal}', 'hex'));
        UPDATE audit_chain SET head_number = {number}, head_seal = decode('{seal}', 'hex'); COMMIT",
        row.at.to_rfc3339()
    );
    let appended = connect(database).await.batch_execute(&statements).await;
    appended.expect("the event can be appended");
}

#[tokio::test]
async fn replicas_of_the_previous_version_continue_the_chain_until_the_first_checkpoint() {
    let (storage, database) = fresh().await;
    fail(&storage, 0..2).await;
    append_as_the_previous_version(&storage, &database).await;
    fail(&storage, 2..4).await;
    assert_eq!(assert_chain_holds(&storage).await, AuditNumber(5));
    let ports = Fakes::default().administration_ports_over(storage.clone());
    let administration = Administration::new(ports, Fakes::administration_rules());
    let verify = async || {
        let request = VerifyAuditRequest::default();
        let by = Capability::of_operator();
        match administration.verify_audit.execute(by, &request, |_| ()).await {
            Ok(verified) => Ok(verified.covered),
            Err(VerifyAuditError::Broken(broken)) => Err(broken),
            Err(VerifyAuditError::NoCheckpointYet(number)) => Err(Broken::NoMac(number)),
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(verify().await, Err(Broken::NoMac(AuditNumber(3))));

    let first = FirstCheckpoint::VouchesUpTo(AuditNumber(0));
    let refused = administration.sign_checkpoint.execute(first).await;
    let is_named = matches!(refused, Ok(Signing::NeedsAcceptance(AuditNumber(3))));
    assert!(is_named, "{refused:?}");
    let first = FirstCheckpoint::VouchesUpTo(AuditNumber(5));
    let signed = administration.sign_checkpoint.execute(first).await;
    assert!(matches!(signed, Ok(Signing::Signed(_))), "{signed:?}");
    assert_eq!(verify().await, Ok(AuditNumber(5)));

    append_as_the_previous_version(&storage, &database).await;
    assert_eq!(verify().await, Err(Broken::NoMac(AuditNumber(6))));
}

#[tokio::test]
async fn the_key_of_a_database_is_read_without_sealing_its_events() {
    let (storage, fresh) = fresh().await;
    let database = connect_unhurried(fresh.url()).await;
    let trace = async || database.key_trace().await.expect("the database is available");
    let own = ToySealer.mac(b"").key;
    assert_eq!(trace().await, KeyTrace::Empty);
    fail(&storage, [1]).await;
    assert_eq!(trace().await, KeyTrace::Pending(own));
    let backlog = storage.audit_log.backlog().await;
    assert_eq!(backlog.expect("the backlog can be read").count, 1);

    assert_chain_holds(&storage).await;
    append_as_the_previous_version(&storage, &fresh).await;
    assert_eq!(trace().await, KeyTrace::Sealed(own));

    let stored = StoredCheckpoint {
        number: AuditNumber(1),
        at: at(2),
        note: "one".to_owned(),
    };
    let kept = storage.audit_checkpoints.replace_all(stored.clone()).await;
    kept.expect("the checkpoint is stored");
    assert_eq!(trace().await, KeyTrace::Checkpoint(stored));
}

#[tokio::test]
async fn a_log_of_the_previous_version_has_no_key() {
    let (storage, fresh) = fresh().await;
    append_as_the_previous_version(&storage, &fresh).await;
    let database = connect_unhurried(fresh.url()).await;
    let trace = database.key_trace().await;
    assert_eq!(trace.expect("the database is available"), KeyTrace::Keyless);
}
