//! Replicas of the previous version write to the audit log while they are replaced.

use crate::{
    administration::{assert_chain_holds, fail},
    fresh,
    sharing::connect,
};
use diesel_async::SimpleAsyncConnection;
use domain::{
    audit::{Actor, AuditAction, AuditContext, AuditEvent, AuditNumber, AuditRow, Broken, ChainEnd, Origin},
    authority::Capability,
    core::Administration,
    use_cases::{Signing, VerifyAuditError, VerifyAuditRequest},
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
            Err(error) => panic!("{error:?}"),
        }
    };
    assert_eq!(verify().await, Err(Broken::NoMac(AuditNumber(3))));

    let signed = administration.sign_checkpoint.execute(true).await;
    assert!(matches!(signed, Ok(Signing::Signed(_))), "{signed:?}");
    assert_eq!(verify().await, Ok(AuditNumber(5)));

    append_as_the_previous_version(&storage, &database).await;
    assert_eq!(verify().await, Err(Broken::NoMac(AuditNumber(6))));
}
