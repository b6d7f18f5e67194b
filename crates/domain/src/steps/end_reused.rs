use crate::{
    audit::AuditContext,
    changes::{ChangeError, EndSession},
    ports::{Accounts, PortError},
    session::{EndReason, StoredSession},
};
use std::sync::Arc;

/// Ends a session whose refresh token was presented a second time (RFC 9700, section 4.14.2). It may have ended before.
pub(crate) async fn end_reused(
    accounts: &dyn Accounts,
    session: &StoredSession,
    context: AuditContext,
) -> Result<(), PortError> {
    let command = EndSession {
        session: session.id,
        user: session.holder.user,
        reason: EndReason::RefreshTokenReused,
    };
    match accounts.execute(Arc::new(command), context).await {
        Ok(_) | Err(ChangeError::Refused(_)) => Ok(()),
        Err(ChangeError::Port(error)) => Err(error),
    }
}
