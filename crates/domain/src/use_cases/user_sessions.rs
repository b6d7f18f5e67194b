use crate::{
    audit::{AuditContext, Origin},
    authority::{Capability, SessionsRevoke},
    changes::{ChangeError, Refusal, RevokeSessions},
    ports::{Accounts, Clock, SessionDirectory},
    session::SessionSummary,
    steps::{self, UserRef},
    user::UserId,
};
use std::sync::Arc;

/// Lists and ends the sessions of other users.
pub struct UserSessions {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) sessions: Arc<dyn SessionDirectory>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl UserSessions {
    /// Returns a user's live sessions, newest first.
    ///
    /// # Errors
    /// [`ChangeError`].
    pub async fn list(
        &self,
        _by: Capability<'_, SessionsRevoke>,
        user: &UserRef,
    ) -> Result<Vec<SessionSummary>, ChangeError> {
        let user = self.find(user).await?;
        Ok(self.sessions.list(user, self.clock.now()).await?)
    }

    /// Ends all of a user's sessions, and returns how many. When this returns, none of their tokens is accepted anywhere.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed then.
    pub async fn end(
        &self,
        by: Capability<'_, SessionsRevoke>,
        user: &UserRef,
        origin: Origin,
    ) -> Result<u64, ChangeError> {
        let requester = by.requester();
        let command = RevokeSessions {
            user: self.find(user).await?,
            authorized_by: requester.identity(),
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        let applied = self.accounts.execute(Arc::new(command), context).await?;
        Ok(applied.sessions_ended)
    }

    async fn find(&self, user: &UserRef) -> Result<UserId, ChangeError> {
        let user = steps::find(&*self.accounts, user).await?;
        Ok(user.ok_or(Refusal::UserNotFound)?.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::{MockSessions, MockUsers},
        role::{Permission, Permissions},
        use_cases::fixtures::{USER, caller_with, clock, origin, user},
    };
    use uuid::Uuid;

    async fn end(whom: UserId, answer: SessionsRevoked) -> Result<u64, UserSessionsError> {
        let mut users = MockUsers::new();
        users.expect_find().returning(|id| Ok((id == USER).then(user)));
        let mut sessions = MockSessions::new();
        sessions
            .expect_revoke_sessions()
            .withf(|force, _| force.user == USER && force.authorized_by.is_some())
            .returning(move |_, _| Ok(answer.clone()));
        let caller = caller_with(Permissions::from([Permission::SESSIONS_REVOKE]));
        let by = caller.capability().expect("the permission is there");
        UserSessions::new(Arc::new(users), Arc::new(sessions), clock())
            .end(by, &UserRef::Id(whom), origin())
            .await
    }

    #[tokio::test]
    async fn how_many_sessions_ended_is_told() {
        assert!(matches!(end(USER, SessionsRevoked::Now(3)).await, Ok(3)));
    }

    #[tokio::test]
    async fn nobodys_sessions_and_those_of_the_mighty_stay() {
        let nobody = end(UserId(Uuid::from_u128(9)), SessionsRevoked::Now(0)).await;
        assert!(matches!(nobody, Err(UserSessionsError::NoSuchUser)));
        let mighty = end(USER, SessionsRevoked::Denied(Denied::OutOfReach)).await;
        assert!(matches!(
            mighty,
            Err(UserSessionsError::Denied(Denied::OutOfReach))
        ));
    }
}
