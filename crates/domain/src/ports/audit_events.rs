use super::PortError;
use crate::audit::{AuditContext, AuditEvent};
use async_trait::async_trait;

/// Writes audit events that do not belong to a change. Events of changes are written by the
/// change's transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditEvents: Send + Sync {
    /// Appends `event` to the audit log.
    ///
    /// Events MUST be numbered without gaps in commit order, and each MUST be sealed with the seal
    /// of its predecessor.
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError>;
}
