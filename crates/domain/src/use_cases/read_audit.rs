use crate::{
    audit::{AuditFilter, AuditNumber, AuditRecord},
    authority::{AuditRead, Capability},
    ports::{AuditLog, PortError},
};
use std::sync::Arc;

/// Shows the audit trail to whoever may read it.
pub struct ReadAudit {
    pub(crate) audit_log: Arc<dyn AuditLog>,
}

impl ReadAudit {
    /// At most `limit` events that `filter` holds for, newest first, those before `before`.
    ///
    /// # Errors
    /// The port's.
    pub async fn execute(
        &self,
        _by: Capability<'_, AuditRead>,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError> {
        self.audit_log.page(filter, before, limit).await
    }
}
