use super::PortError;
use crate::{
    audit::{AuditContext, AuditFilter, AuditNumber, Backlog, ChainEnd, ChainEnds, ReadRow},
    changes::{AcceptAuditLog, TrimAuditLog},
};
use async_trait::async_trait;

/// Reads, verifies and trims the audit log. Events that are not [sealed](AuditLog::seal) are not
/// part of the log yet; [`backlog`](AuditLog::backlog) counts them.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// Numbers and seals the events that were committed before this call. Does nothing in a process
    /// without the audit key.
    ///
    /// Events that cannot be sealed stay pending and are returned by the backlog. The adapter logs
    /// the cause: the sealed part of the log MUST stay readable.
    async fn seal(&self);

    /// Returns at most `limit` rows before `before` that match `filter`, newest first. An
    /// unreadable row MUST NOT prevent the others from being returned, and MUST be reported in its
    /// place.
    async fn page(
        &self,
        filter: AuditFilter,
        before: Option<AuditNumber>,
        limit: u32,
    ) -> Result<Vec<ReadRow>, PortError>;

    /// Returns how many events were committed and are not sealed yet.
    async fn backlog(&self) -> Result<Backlog, PortError>;

    /// Returns the stored start and end of the chain.
    async fn ends(&self) -> Result<ChainEnds, PortError>;

    /// Returns at most `limit` rows after `after` with their stored seals, lowest number first. An
    /// unreadable row MUST NOT prevent the others from being returned, and MUST be reported in its
    /// place.
    async fn rows(&self, after: AuditNumber, limit: u32) -> Result<Vec<ReadRow>, PortError>;

    /// Removes the events that [`TrimAuditLog::decide`] selects and returns their number. The
    /// remaining rows MUST form a chain whose base is the last removed event. The event of the
    /// change MUST be written in the same transaction. An unreadable row MUST NOT prevent others
    /// from being removed: a time out of range counts as the nearest one in range, and a seal that
    /// does not have 32 bytes is [replaced](crate::audit::Seal::stored_as) in the base.
    async fn trim(&self, command: TrimAuditLog, context: AuditContext) -> Result<u64, PortError>;

    /// Seals the event that [`AcceptAuditLog::decide`] returns for the end of the log, and returns
    /// the new end. The event MUST follow that end directly. Pending events stay pending.
    async fn accept(&self, command: AcceptAuditLog, context: AuditContext) -> Result<ChainEnd, PortError>;
}
