use super::PortError;
use crate::{
    audit::{AuditContext, AuditFilter, AuditNumber, AuditRecord, ChainEnds, ReadRow},
    changes::TrimAuditLog,
};
use async_trait::async_trait;

/// The audit log, as it is read and trimmed.
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

    /// Returns where the chain begins and ends.
    async fn ends(&self) -> Result<ChainEnds, PortError>;

    /// Returns at most `limit` rows after `after` with their seals as they are stored, lowest number first. A row that
    /// cannot be read MUST NOT hide the others.
    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError>;

    /// Removes what [`TrimAuditLog::decide`] says, and returns how many events it removed. What is left MUST be a chain
    /// whose base is the last event that was removed. The event of the change MUST be written in the same transaction.
    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError>;
}
