use crate::{SqliteStorage, changes::events};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, PortError},
};
use std::sync::Arc;

#[async_trait]
impl AuditEvents for SqliteStorage {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write(move |conn| events::write(conn, &*sealer, &context, &event))
            .await
    }
}
