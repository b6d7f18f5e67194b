use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::UserCaller,
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    session::{EndReason, SessionId},
};
use std::sync::Arc;

/// Ends one of the caller's own sessions, on this device or another.
pub struct EndSession {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl EndSession {
    /// Ends the session.
    ///
    /// # Errors
    /// Returns a [`ChangeError`]. After a port error the session may have ended; after a refusal
    /// this call did not end it. The refusal is [`SessionEnded`](changes::Refusal::SessionEnded) if
    /// the session has already ended, belongs to another user or never existed.
    pub async fn execute(
        &self,
        caller: &UserCaller,
        session: SessionId,
        origin: Origin,
    ) -> Result<(), ChangeError> {
        let user = caller.user().id;
        let command = changes::EndSession {
            session,
            user,
            reason: EndReason::SessionsRevoked,
        };
        let context = AuditContext::new(self.clock.now(), Actor::User(user), origin);
        self.accounts.execute(Arc::new(command), context).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{EndSessionsOf, Facts, OwnedSession, Refusal},
        fixtures::{USER, audit_context, origin, stored_session, user_caller},
        ports::MockAccounts,
        use_cases::fixtures::{accounts_with, clock, expect_change},
        user::UserId,
    };
    use uuid::Uuid;

    const OTHER_DEVICE: SessionId = SessionId(Uuid::from_u128(33));

    async fn end(accounts: MockAccounts) -> Result<(), ChangeError> {
        let end = EndSession {
            accounts: Arc::new(accounts),
            clock: clock(),
        };
        end.execute(&user_caller(), OTHER_DEVICE, origin()).await
    }

    fn live_session_of(user: UserId) -> Facts {
        Facts {
            session: Some(OwnedSession {
                user,
                ..OwnedSession::from(&stored_session())
            }),
            ..Facts::default()
        }
    }

    #[tokio::test]
    async fn a_caller_ends_their_own_session() {
        let mut accounts = MockAccounts::new();
        expect_change(&mut accounts, live_session_of(USER), |executed| {
            assert_eq!(executed.reads.session, Some(OTHER_DEVICE));
            assert_eq!(executed.context, audit_context());
            let change = executed.decided.expect("the rules allow the change");
            let expected = (
                EndSessionsOf::Sessions(vec![OTHER_DEVICE]),
                EndReason::SessionsRevoked,
            );
            assert_eq!(change.end_sessions, Some(expected));
        });
        assert!(end(accounts).await.is_ok());
    }

    #[tokio::test]
    async fn a_session_that_is_not_the_callers_is_reported_as_ended() {
        let anothers = live_session_of(UserId(Uuid::from_u128(77)));
        for facts in [anothers, Facts::default()] {
            let refused = end(accounts_with(facts)).await;
            assert!(matches!(
                refused,
                Err(ChangeError::Refused(Refusal::SessionEnded))
            ));
        }
    }
}
