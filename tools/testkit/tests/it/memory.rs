use domain::{changes::ChangeError, changes::RegisterUser, ports::PortError};
use std::{error::Error, sync::Arc};
use testkit::{
    MemoryStorage,
    contract::damaged_audit_log::DamagedAuditLog,
    fixtures::{a_user, at, canonical, context},
};

testkit::storage_contract!(crate::fresh);
testkit::damaged_audit_log_contract!(super::damaged);

async fn damaged() -> (DamagedAuditLog, ()) {
    let memory = MemoryStorage::default();
    let log = DamagedAuditLog {
        storage: memory.storage(),
        other: Arc::new(memory),
    };
    std::future::ready((log, ())).await
}

#[tokio::test]
async fn unavailable_storage_returns_errors_and_is_unchanged_afterwards() {
    let memory = MemoryStorage::default();
    let storage = memory.storage();
    memory.disconnect();
    let command = Arc::new(RegisterUser(a_user("alice")));
    let registered = storage.accounts.execute(command, context(at(0))).await;
    let Err(ChangeError::Port(refused @ PortError::Unavailable(_))) = registered else {
        panic!("{registered:?}");
    };
    assert_eq!(
        refused.source().map(ToString::to_string).as_deref(),
        Some("a test made the storage unavailable")
    );
    assert!(matches!(
        storage.health.check().await,
        Err(PortError::Unavailable(_))
    ));

    memory.reconnect();

    assert!(storage.health.check().await.is_ok());
    let alice = storage.accounts.find_by_login(&canonical("alice")).await;
    assert!(matches!(alice, Ok(None)));
}
