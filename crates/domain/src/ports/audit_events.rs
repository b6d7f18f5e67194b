use super::PortError;
use crate::audit::{AuditContext, AuditEvent};
use async_trait::async_trait;

/// Writes audit events that do not belong to a change. Events of changes are written by the
/// change's transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditEvents: Send + Sync {
    /// Appends `event` to the audit log, as [`record_all`](Self::record_all) does.
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError> {
        self.record_all(vec![event], context).await
    }

    /// Appends `events` to the audit log in their order, all of them or, if it fails, none.
    ///
    /// Events MUST be numbered without gaps, and each MUST be sealed with the seal of its
    /// predecessor. An event that was written after another one was committed MUST have the higher
    /// number. Events may be numbered and sealed later, at the latest by
    /// [`AuditLog::seal`](super::AuditLog::seal).
    async fn record_all(&self, events: Vec<AuditEvent>, context: AuditContext) -> Result<(), PortError>;
}
