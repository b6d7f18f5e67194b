use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::Caller,
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    session::{EndReason, SessionId},
};
use std::sync::Arc;

/// Ends one of the caller's own sessions, on another device or on this one.
pub struct EndSession {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl EndSession {
    /// # Errors
    /// [`ChangeError`]; nothing has ended then. The refusal is [`SessionEnded`](changes::Refusal::SessionEnded) whether the
    /// session ended before, belongs to another user or never existed.
    pub async fn execute(
        &self,
        caller: &Caller,
        session: SessionId,
        origin: Origin,
    ) -> Result<(), ChangeError> {
        let user = caller.user().id;
        let command = changes::EndSession {
            session,
            user,
            reason: EndReason::LoggedOut,
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        self.accounts.execute(Arc::new(command), context).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::MockSessions,
        use_cases::fixtures::{USER, caller, clock, origin},
    };
    use uuid::Uuid;

    const OTHER_DEVICE: SessionId = SessionId(Uuid::from_u128(33));

    async fn end(ended: Ended) -> Result<(), EndSessionError> {
        let mut sessions = MockSessions::new();
        sessions
            .expect_end()
            .withf(|id, user, reason, _| {
                *id == OTHER_DEVICE && *user == USER && *reason == EndReason::LoggedOut
            })
            .once()
            .returning(move |_, _, _, _| Ok(ended));
        EndSession::new(Arc::new(sessions), clock())
            .execute(&caller(), OTHER_DEVICE, origin())
            .await
    }

    #[tokio::test]
    async fn a_session_is_ended_as_the_callers_own() {
        assert!(end(Ended::Now).await.is_ok());
    }

    #[tokio::test]
    async fn a_session_that_is_not_there_for_the_caller_is_told_as_such() {
        assert!(matches!(
            end(Ended::Before).await,
            Err(EndSessionError::NoSuchSession)
        ));
    }
}
