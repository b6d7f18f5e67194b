use super::administer::{self, UserRef};
use crate::{
    audit::{AuditContext, Origin},
    authority::{Capability, Denied, SessionsRevoke},
    ports::{Clock, PortError, RevokeSessions, Sessions, SessionsRevoked, Users},
    session::SessionSummary,
    user::UserId,
};
use std::sync::Arc;
use thiserror::Error;

/// Shows and ends the sessions of other users.
pub struct UserSessions {
    users: Arc<dyn Users>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum UserSessionsError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl UserSessions {
    pub fn new(users: Arc<dyn Users>, sessions: Arc<dyn Sessions>, clock: Arc<dyn Clock>) -> Self {
        Self {
            users,
            sessions,
            clock,
        }
    }

    /// A user's live sessions, newest first.
    ///
    /// # Errors
    /// [`UserSessionsError`].
    pub async fn list(
        &self,
        _by: Capability<'_, SessionsRevoke>,
        whom: &UserRef,
    ) -> Result<Vec<SessionSummary>, UserSessionsError> {
        let user = self.find(whom).await?;
        Ok(self.sessions.list(user, self.clock.now()).await?)
    }

    /// Ends all of a user's sessions; how many there were. When this returns, none of their tokens is accepted anywhere.
    ///
    /// # Errors
    /// [`UserSessionsError`]; nothing has changed then.
    pub async fn end(
        &self,
        by: Capability<'_, SessionsRevoke>,
        whom: &UserRef,
        origin: Origin,
    ) -> Result<u64, UserSessionsError> {
        let requester = by.requester();
        let force = RevokeSessions {
            user: self.find(whom).await?,
            authorized_by: requester.identity(),
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.sessions.revoke_sessions(force, context).await? {
            SessionsRevoked::Now(count) => Ok(count),
            SessionsRevoked::NoSuchUser => Err(UserSessionsError::NoSuchUser),
            SessionsRevoked::Denied(denied) => Err(denied.into()),
        }
    }

    async fn find(&self, whom: &UserRef) -> Result<UserId, UserSessionsError> {
        let user = administer::find(&*self.users, whom).await?;
        user.map(|user| user.id).ok_or(UserSessionsError::NoSuchUser)
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
