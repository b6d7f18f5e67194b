//! Another program changes the sealed audit log.

use crate::fresh;
use async_trait::async_trait;
use diesel_async::{AsyncConnection, AsyncPgConnection, SimpleAsyncConnection};
use domain::audit::AuditNumber;
use std::sync::Arc;
use testkit::contract::damaged_audit_log::{Damage, DamagedAuditLog, OtherProgram};
use testservers::FreshDatabase;

testkit::damaged_audit_log_contract!(super::damaged);

/// Another connection to the database at a URL.
struct OtherConnection(String);

#[async_trait]
impl OtherProgram for OtherConnection {
    async fn damage(&self, number: AuditNumber, damage: Damage) {
        let damage = match damage {
            Damage::Details => "details = '{'",
            Damage::Seal => "seal = ''",
            Damage::Time => "at = 'infinity'",
        };
        let connected = AsyncPgConnection::establish(&self.0).await;
        let mut connection = connected.expect("the database accepts connections");
        let statement = format!("UPDATE audit_trail SET {damage} WHERE number = {number}");
        let changed = connection.batch_execute(&statement).await;
        changed.expect("the row can be damaged");
    }
}

async fn damaged() -> (DamagedAuditLog, FreshDatabase) {
    let (storage, database) = fresh().await;
    let log = DamagedAuditLog {
        storage,
        other: Arc::new(OtherConnection(database.url().to_owned())),
    };
    (log, database)
}
