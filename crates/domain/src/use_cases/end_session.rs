use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::Caller,
    ports::{Clock, Ended, PortError, Sessions},
    session::{EndReason, SessionId},
};
use std::sync::Arc;
use thiserror::Error;

/// Ends one of the caller's own sessions, on another device or on this one.
pub struct EndSession {
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum EndSessionError {
    /// Nobody's, another's, or ended before: which of them is not told.
    #[error("there is no such session")]
    NoSuchSession,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl EndSession {
    pub fn new(sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>) -> Self {
        Self { sessions, clock }
    }

    /// # Errors
    /// [`EndSessionError`]; nothing has ended then.
    pub async fn execute(
        &self,
        caller: &Caller,
        session: SessionId,
        origin: Origin,
    ) -> Result<(), EndSessionError> {
        let user = caller.user().id;
        let context = AuditContext {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        match self
            .sessions
            .end(session, user, EndReason::LoggedOut, context)
            .await?
        {
            Ended::Now => Ok(()),
            Ended::Before => Err(EndSessionError::NoSuchSession),
        }
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
