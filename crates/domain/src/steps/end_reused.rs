use crate::{
    audit::{Actor, AuditContext, Origin},
    changes::{ChangeError, EndSession},
    ports::{Accounts, PortError},
    session::{EndReason, StoredSession},
};
use chrono::{DateTime, Utc};
use std::sync::Arc;

/// Ends a session whose refresh token was reused (RFC 9700, section 4.14.2). The session may
/// already have ended.
pub(crate) async fn end_reused(
    accounts: &dyn Accounts,
    session: &StoredSession,
    now: DateTime<Utc>,
    origin: Origin,
) -> Result<(), PortError> {
    let command = EndSession {
        session: session.id,
        user: session.holder.user,
        reason: EndReason::RefreshTokenReused,
    };
    let context = AuditContext::new(now, Actor::Anonymous, origin);
    match accounts.execute(Arc::new(command), context).await {
        Ok(_) | Err(ChangeError::Refused(_)) => Ok(()),
        Err(ChangeError::Port(error)) => Err(error),
    }
}
