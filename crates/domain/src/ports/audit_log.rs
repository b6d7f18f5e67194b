use super::PortError;
use crate::audit::{AuditContext, AuditEvent, AuditFilter, AuditNumber, AuditRecord, ChainEnds, ReadRow};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The trail of security events. Most are written by the methods that make the changes they tell of, in their
/// transactions; here are those that changed nothing, and here the trail is read.
///
/// Events MUST be numbered without gaps in the order of their commits, and each MUST be sealed with the seal of the one
/// before it.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Keeps an event that goes with no change.
    async fn note(&self, event: AuditEvent, context: AuditContext) -> Result<(), PortError>;

    /// At most `limit` events that `filter` holds for, newest first, those before `before`.
    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError>;

    /// Where the chain begins and ends.
    async fn ends(&self) -> Result<ChainEnds, PortError>;

    /// At most `limit` rows with their seals as they stand, lowest number first, those after `after`. A row that cannot
    /// even be read as one MUST NOT hide the others.
    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError>;

    /// Removes the oldest events, at most `limit`, as far as they are from before `before`; how many it removed. The last
    /// event MUST stay. What is left MUST be a chain whose base is the last event that went. When any went, an event
    /// [`AuditLogTrimmed`](crate::audit::AuditAction::TrailTrimmed) MUST be written.
    async fn trim(&self, before: DateTime<Utc>, limit: u32, context: AuditContext) -> Result<u64, PortError>;
}
