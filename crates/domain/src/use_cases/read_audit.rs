use crate::{
    audit::{AuditFilter, AuditNumber, AuditRecord},
    authority::{AuditRead, Capability},
    ports::{AuditLog, PortError},
};
use std::sync::Arc;

/// Reads the audit log, for callers with the permission to do so.
pub struct ReadAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
}

impl ReadAudit {
    /// Returns at most `limit` events that match `filter`, newest first, starting before `before`.
    ///
    /// # Errors
    /// Returns a [`PortError`] if the port fails.
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.audit_log.seal().await;
        self.audit_log.page(filter, before, limit).await
    }
}
