use super::PortError;
use crate::audit::{AuditContext, AuditEvent};
use async_trait::async_trait;

/// Writes audit events that belong to no change. The others are written with the change, in its transaction.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditEvents: Send + Sync {
    /// Appends `event` to the audit log.
    ///
    /// Events MUST be numbered without gaps in the order of their commits, and each MUST be sealed with the seal of the one
    /// before it.
    async fn record(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError>;
}
