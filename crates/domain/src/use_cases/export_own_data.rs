use crate::{
    audit::{AuditFilter, AuditNumber, AuditRecord, read_event},
    caller::UserCaller,
    ports::{AuditLog, Clock, PortError, SessionDirectory},
    session::SessionSummary,
    steps,
};
use std::sync::Arc;

/// The maximum number of events in an export. The newest are included.
const MAX_EVENTS: u32 = 1_000;

/// Exports the data stored about the caller (GDPR, articles 15 and 20).
pub struct ExportOwnData {
    pub(crate) sessions: Arc<dyn SessionDirectory>,
    pub(crate) audit_log: Arc<dyn AuditLog>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// The data stored about a caller, other than their account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnData {
    /// Live sessions, newest first.
    pub sessions: Vec<SessionSummary>,
    /// Audit events about the caller, newest first.
    pub events: Vec<AuditRecord>,
    /// Audit events about the caller that cannot be read, newest first.
    pub unreadable: Vec<AuditNumber>,
}

impl ExportOwnData {
    /// Returns the data.
    ///
    /// # Errors
    /// Returns a [`PortError`] if a port fails.
    pub async fn execute(&self, caller: &UserCaller) -> Result<OwnData, PortError> {
        let user = caller.user().id;
        let sessions = steps::live_sessions(&*self.sessions, user, self.clock.now()).await?;
        let filter = AuditFilter {
            user: Some(user),
            ..AuditFilter::default()
        };
        self.audit_log.seal().await;
        let rows = self.audit_log.page(filter, None, MAX_EVENTS).await?;
        let mut data = OwnData {
            sessions,
            events: Vec::with_capacity(rows.len()),
            unreadable: Vec::new(),
        };
        for row in rows {
            match read_event(row) {
                Ok(event) => data.events.push(event),
                Err(broken) => data.unreadable.push(broken.0),
            }
        }
        Ok(data)
    }
}
