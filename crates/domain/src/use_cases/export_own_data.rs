use crate::{
    audit::{AuditFilter, AuditRecord},
    caller::Caller,
    ports::{AuditLog, Clock, PortError, SessionDirectory},
    session::SessionSummary,
};
use std::sync::Arc;

/// The most events of an export: the newest ones.
const MAX_EVENTS: u32 = 1_000;

/// Gives callers what is kept about them (GDPR, articles 15 and 20).
pub struct ExportOwnData {
    pub(crate) sessions: Arc<dyn SessionDirectory>,
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// What is kept about a caller besides their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnData {
    /// Live ones, newest first.
    pub sessions: Vec<SessionSummary>,
    /// What was done to them, newest first.
    pub events: Vec<AuditRecord>,
}

impl ExportOwnData {
    /// # Errors
    /// The ports'.
    pub async fn execute(&self, caller: &Caller) -> Result<OwnData, PortError> {
        let user = caller.user().id;
        let sessions = self.sessions.list(user, self.clock.now()).await?;
        let filter = AuditFilter {
            user: Some(user),
            ..AuditFilter::default()
        };
        let events = self.audit_log.page(filter, None, MAX_EVENTS).await?;
        Ok(OwnData { sessions, events })
    }
}
