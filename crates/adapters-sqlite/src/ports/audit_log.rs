use crate::{
    changes::trim,
    database::SqliteDatabase,
    tables::{audit, audit_pages},
};
use async_trait::async_trait;
use domain::{
    audit::{AuditContext, AuditFilter, AuditNumber, AuditRecord, ChainEnds, ReadRow},
    changes::TrimAuditLog,
    ports::{AuditLog, AuditSealer, PortError},
};
use std::sync::Arc;

/// The audit log in SQLite, as it is read and trimmed.
pub struct SqliteAuditLog {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteAuditLog {
    #[must_use]
    pub fn new(database: SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self { database, sealer }
    }
}

#[async_trait]
impl AuditLog for SqliteAuditLog {
    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.database
            .read(move |conn| audit_pages::page(conn, &filter, before, limit))
            .await
    }

    async fn ends(&self) -> Result<ChainEnds, PortError> {
        self.database.read(audit::ends).await
    }

    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError> {
        self.database
            .read(move |conn| audit_pages::rows(conn, after, limit))
            .await
    }

    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError> {
        let sealer = Arc::clone(&self.sealer);
        self.database
            .write(move |conn| trim::execute(conn, &*sealer, command, &context))
            .await
    }
}
