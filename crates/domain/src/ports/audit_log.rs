use super::PortError;
use crate::{
    audit::{AuditContext, AuditFilter, AuditNumber, AuditRecord, Backlog, ChainEnds, ReadRow},
    changes::TrimAuditLog,
};
use async_trait::async_trait;

/// Reads, verifies and trims the audit log.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Returns at most `limit` events before `before` that match `filter`, newest first.
    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<AuditRecord>, PortError>;

    /// Returns the events that were committed and are not sealed yet. Events that were committed
    /// before a call of another method of this port MUST be sealed when that call returns, if the
    /// process has the audit key.
    async fn backlog(&self) -> Result<Backlog, PortError>;

    /// Returns the stored start and end of the chain.
    async fn ends(&self) -> Result<ChainEnds, PortError>;

    /// Returns at most `limit` rows after `after` with their stored seals, lowest number first. An
    /// unreadable row MUST NOT prevent the others from being returned.
    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError>;

    /// Removes the events that [`TrimAuditLog::decide`] selects and returns their number. The
    /// remaining rows MUST form a chain whose base is the last removed event. The event of the
    /// change MUST be written in the same transaction.
    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError>;
}
