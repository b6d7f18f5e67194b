use crate::{changes::events, database::SqliteDatabase};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditEvent},
    ports::{AuditEvents, AuditSealer, PortError},
};
use std::sync::Arc;

/// Appends to the audit log in SQLite.
pub struct SqliteAuditEvents {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteAuditEvents {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl AuditEvents for SqliteAuditEvents {
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write(move |conn| events::write(conn, &*sealer, &context, &event))
            .await
    }
}
