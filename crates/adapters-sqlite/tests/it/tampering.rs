//! Another program changes the audit log in the file.

use crate::{connect, fresh, register};
use adapters_sqlite::SqliteDatabase;
use async_trait::async_trait;
use diesel::connection::SimpleConnection;
use domain::{
    audit::{
        AuditAction, AuditEvent, AuditFilter, AuditKeyId, AuditNumber, Broken, ChainEnds, InvalidCheckpoint,
        KeyTrace, StoredCheckpoint, Witness,
    },
    authority::Capability,
    changes::ChangeError,
    core::Administration,
    ports::PortError,
    use_cases::{FirstCheckpoint, Signing, VerifyAuditError, VerifyAuditRequest},
    user::UserId,
};
use std::{
    path::{Path, PathBuf},
    sync::Arc,
};
use tempfile::TempDir;
use testkit::{
    Fakes, Storage,
    contract::damaged_audit_log::{Damage, DamagedAuditLog, OtherProgram},
    fixtures::{a_user, at, context_of, unique_uuid},
};

/// Returns the ends of the chain, or where it is broken.
pub async fn verify(storage: &Storage) -> Result<ChainEnds, Broken> {
    let ports = Fakes::default().administration_ports_over(storage.clone());
    let verify = Administration::new(ports, Fakes::administration_rules()).verify_audit;
    let request = VerifyAuditRequest::default();
    match verify.execute(Capability::of_operator(), &request, |_| ()).await {
        Ok(verified) => Ok(verified.ends),
        Err(VerifyAuditError::Broken(broken)) => Err(broken),
        Err(VerifyAuditError::NoCheckpointYet(number)) => Err(Broken::NoMac(number)),
        Err(error) => panic!("{error:?}"),
    }
}

testkit::damaged_audit_log_contract!(super::damaged);

/// Another connection to the database of a folder.
struct OtherConnection(PathBuf);

#[async_trait]
impl OtherProgram for OtherConnection {
    async fn damage(&self, number: AuditNumber, damage: Damage) {
        let damage = match damage {
            Damage::Details => "details = '{'",
            Damage::Seal => "seal = x'00'",
            Damage::Time => "at = 9223372036854775807",
        };
        let statement = format!("UPDATE audit_trail SET {damage} WHERE number = {number}");
        let changed = connect(&self.0).batch_execute(&statement);
        changed.expect("the row can be damaged");
    }
}

async fn damaged() -> (DamagedAuditLog, TempDir) {
    let (storage, folder) = fresh().await;
    let log = DamagedAuditLog {
        storage,
        other: Arc::new(OtherConnection(folder.path().to_owned())),
    };
    (log, folder)
}

/// Storage with nine events.
async fn nine_events() -> (Storage, TempDir) {
    let (storage, folder) = fresh().await;
    for second in 0..9 {
        let user = UserId(unique_uuid());
        let event = AuditEvent::on(AuditAction::LoginFailed, user).with("cause", "password");
        let recorded = storage.audit_events.record(event, context_of(user, at(second)));
        recorded.await.expect("the event is recorded");
    }
    (storage, folder)
}

#[tokio::test]
async fn a_row_of_the_audit_log_that_was_changed_is_named_by_its_number() {
    for damage in [
        "details = replace(details, 'password', 'passwore')",
        "details = CAST(x'ff' || substr(CAST(details AS BLOB), 2) AS TEXT)",
        "action = 'logged_in'",
        "action = 'unheard_of'",
        "actor_kind = 'operator'",
        "actor_id = x'00'",
        "actor_id = NULL",
        "user_id = zeroblob(17)",
        "session_id = x''",
        "at = at + 1",
        "at = 9223372036854775807",
        "address = '192.0.2.8'",
        "address = NULL",
        "user_agent = ''",
        "request_id = 'request-2'",
        "seal = x'00'",
        "seal = zeroblob(32)",
        "mac = x'00'",
    ] {
        let (storage, folder) = nine_events().await;
        assert!(verify(&storage).await.is_ok());
        let mut file = connect(folder.path());
        let changed = file.batch_execute(&format!("UPDATE audit_trail SET {damage} WHERE number = 5"));
        changed.expect("the row can be damaged");

        assert_eq!(
            verify(&storage).await,
            Err(Broken::Changed(AuditNumber(5))),
            "{damage}"
        );
        let rows = storage
            .audit_log
            .rows(AuditNumber(0), 100)
            .await
            .expect("the rows can be read");
        let readable = rows.iter().filter(|row| row.is_ok()).count();
        assert_eq!(rows.len(), 9, "{damage}");
        assert!(readable >= 8, "{damage}: {rows:?}");
        let page = storage.audit_log.page(AuditFilter::default(), None, 100).await;
        let mut page = page.expect("the page can be read");
        page.reverse();
        assert_eq!(page, rows, "{damage}");
    }
}

#[tokio::test]
async fn an_event_without_the_mac_of_the_audit_key_is_named() {
    for (damage, broken) in [
        ("mac = NULL", Broken::NoMac(AuditNumber(5))),
        (
            "mac = (SELECT mac FROM audit_trail WHERE number = 6)",
            Broken::WrongMac(AuditNumber(5)),
        ),
        (
            "mac = zeroblob(40)",
            Broken::UnknownKey(AuditNumber(5), AuditKeyId([0; 8])),
        ),
    ] {
        let (storage, folder) = nine_events().await;
        let changed = connect(folder.path())
            .batch_execute(&format!("UPDATE audit_trail SET {damage} WHERE number = 5"));
        changed.expect("the row can be damaged");
        assert_eq!(verify(&storage).await, Err(broken), "{damage}");
    }
}

async fn key_trace(folder: &Path) -> KeyTrace {
    let database = SqliteDatabase::open(&folder.join("authapi.db")).await;
    let trace = database.expect("the database can be opened").key_trace().await;
    trace.expect("the database can be read")
}

#[tokio::test]
async fn the_key_of_a_database_is_that_of_its_newest_checkpoint_or_else_of_its_newest_mac() {
    let (_storage, folder) = fresh().await;
    assert_eq!(key_trace(folder.path()).await, KeyTrace::Empty);

    let (storage, folder) = nine_events().await;
    let damage = |statement: &str| {
        let changed = connect(folder.path()).batch_execute(statement);
        changed.expect("the database can be changed");
    };
    assert_eq!(
        key_trace(folder.path()).await,
        KeyTrace::Sealed(AuditKeyId([1; 8]))
    );
    damage(
        "UPDATE audit_trail SET mac = NULL WHERE number > 5; UPDATE audit_trail SET mac = zeroblob(40) WHERE number = 5",
    );
    assert_eq!(
        key_trace(folder.path()).await,
        KeyTrace::Sealed(AuditKeyId([0; 8]))
    );
    damage("UPDATE audit_trail SET mac = NULL");
    assert_eq!(key_trace(folder.path()).await, KeyTrace::Keyless);

    let stored = StoredCheckpoint {
        number: AuditNumber(1),
        at: at(2),
        note: "one".to_owned(),
    };
    let kept = storage.audit_checkpoints.replace_all(stored.clone()).await;
    kept.expect("the checkpoint is stored");
    assert_eq!(key_trace(folder.path()).await, KeyTrace::Checkpoint(stored));
}

#[tokio::test]
async fn a_removed_end_and_changed_checkpoints_are_named() {
    let cut_off = Broken::CutOff {
        first: AuditNumber(8),
        covered: AuditNumber(9),
        witness: Witness::Stored,
    };
    let forged = Broken::ForgedCheckpoint {
        number: Some(AuditNumber(9)),
        witness: Witness::Stored,
        cause: InvalidCheckpoint::WrongSignature,
    };
    let malformed = Broken::ForgedCheckpoint {
        number: Some(AuditNumber(9)),
        witness: Witness::Stored,
        cause: InvalidCheckpoint::Malformed,
    };
    for (damage, broken) in [
        ("UPDATE audit_checkpoints SET note = CAST(x'ff' AS TEXT)", malformed),
        (
            "DELETE FROM audit_trail WHERE number > 7;
            UPDATE audit_chain SET head_number = 7, head_seal = (SELECT seal FROM audit_trail WHERE number = 7)",
            cut_off,
        ),
        (
            "DELETE FROM audit_trail WHERE number <= 2;
            UPDATE audit_chain SET base_number = 2, base_seal = x'0707070707070707070707070707070707070707070707070707070707070707'",
            Broken::Changed(AuditNumber(3)),
        ),
        ("UPDATE audit_checkpoints SET note = replace(note, char(10) || '9' || char(10), char(10) || '8' || char(10))", forged),
    ] {
        let (storage, folder) = nine_events().await;
        let ports = Fakes::default().administration_ports_over(storage.clone());
        let sign = Administration::new(ports, Fakes::administration_rules()).sign_checkpoint;
        let signed = sign.execute(FirstCheckpoint::VouchesUpTo(AuditNumber(0))).await.expect("the log is intact");
        assert!(matches!(signed, Signing::Signed(_)), "{signed:?}");
        assert!(verify(&storage).await.is_ok());
        connect(folder.path())
            .batch_execute(damage)
            .expect("the database can be damaged");
        assert_eq!(verify(&storage).await, Err(broken), "{damage}");
    }
}

#[tokio::test]
async fn rows_that_were_removed_added_or_swapped_are_named_by_number() {
    let swap = "
        UPDATE audit_trail SET number = 99 WHERE number = 3;
        UPDATE audit_trail SET number = 3 WHERE number = 7;
        UPDATE audit_trail SET number = 7 WHERE number = 99;";
    let forge = "
        INSERT INTO audit_trail (number, at, action, actor_kind, details, seal)
            SELECT 10, at, action, 'operator', details, seal FROM audit_trail WHERE number = 9;";
    for (damage, broken) in [
        (
            "DELETE FROM audit_trail WHERE number = 1",
            Broken::Missing(AuditNumber(1)),
        ),
        (
            "DELETE FROM audit_trail WHERE number = 5",
            Broken::Missing(AuditNumber(5)),
        ),
        (
            "DELETE FROM audit_trail WHERE number = 9",
            Broken::Missing(AuditNumber(9)),
        ),
        (swap, Broken::Changed(AuditNumber(3))),
        (forge, Broken::Added(AuditNumber(10))),
    ] {
        let (storage, folder) = nine_events().await;
        connect(folder.path())
            .batch_execute(damage)
            .expect("the row can be damaged");
        assert_eq!(verify(&storage).await, Err(broken), "{damage}");
    }
}

#[tokio::test]
async fn nothing_is_written_when_the_end_of_the_chain_is_missing() {
    let (storage, folder) = nine_events().await;
    connect(folder.path())
        .batch_execute("DELETE FROM audit_chain")
        .expect("the row can be deleted");
    let user = a_user("alice");
    let refused = register(&storage, user.clone(), at(0)).await;
    let unavailable = matches!(refused, Err(ChangeError::Port(PortError::Unavailable(_))));
    assert!(unavailable, "{refused:?}");
    assert_eq!(
        storage
            .accounts
            .find(user.id)
            .await
            .expect("the user can be read"),
        None
    );
}
