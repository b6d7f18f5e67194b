use super::administer::{self, Whom};
use crate::{
    audit::{Origin, Stamp},
    authority::{Capability, Denied, SessionsRevoke},
    ports::{Clock, ForceOut, ForcedOut, PortError, Sessions, Users},
    session::SessionSummary,
    user::UserId,
};
use std::sync::Arc;
use thiserror::Error;

/// Shows and ends the sessions of other users.
pub struct OthersSessions {
    users: Arc<dyn Users>,
    sessions: Arc<dyn Sessions>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum OthersSessionsError {
    #[error("there is no such user")]
    NoSuchUser,
    #[error(transparent)]
    Denied(#[from] Denied),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl OthersSessions {
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
    /// [`OthersSessionsError`].
    pub async fn list(
        &self,
        _by: Capability<'_, SessionsRevoke>,
        whom: &Whom,
    ) -> Result<Vec<SessionSummary>, OthersSessionsError> {
        let user = self.find(whom).await?;
        Ok(self.sessions.list(user, self.clock.now()).await?)
    }

    /// Ends all of a user's sessions; how many there were. When this returns, none of their tokens is accepted anywhere.
    ///
    /// # Errors
    /// [`OthersSessionsError`]; nothing has changed then.
    pub async fn end(
        &self,
        by: Capability<'_, SessionsRevoke>,
        whom: &Whom,
        origin: Origin,
    ) -> Result<u64, OthersSessionsError> {
        let requester = by.requester();
        let force = ForceOut {
            user: self.find(whom).await?,
            only_while: requester.vouched(),
        };
        let stamp = Stamp {
            at: self.clock.now(),
            actor: requester.actor(),
            origin,
        };
        match self.sessions.force_out(force, stamp).await? {
            ForcedOut::Now(count) => Ok(count),
            ForcedOut::NoSuchUser => Err(OthersSessionsError::NoSuchUser),
            ForcedOut::Denied(denied) => Err(denied.into()),
        }
    }

    async fn find(&self, whom: &Whom) -> Result<UserId, OthersSessionsError> {
        let user = administer::find(&*self.users, whom).await?;
        user.map(|user| user.id).ok_or(OthersSessionsError::NoSuchUser)
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

    async fn end(whom: UserId, answer: ForcedOut) -> Result<u64, OthersSessionsError> {
        let mut users = MockUsers::new();
        users.expect_find().returning(|id| Ok((id == USER).then(user)));
        let mut sessions = MockSessions::new();
        sessions
            .expect_force_out()
            .withf(|force, _| force.user == USER && force.only_while.is_some())
            .returning(move |_, _| Ok(answer.clone()));
        let caller = caller_with(Permissions::from([Permission::SESSIONS_REVOKE]));
        let by = caller.capability().expect("the permission is there");
        OthersSessions::new(Arc::new(users), Arc::new(sessions), clock())
            .end(by, &Whom::Id(whom), origin())
            .await
    }

    #[tokio::test]
    async fn how_many_sessions_ended_is_told() {
        assert!(matches!(end(USER, ForcedOut::Now(3)).await, Ok(3)));
    }

    #[tokio::test]
    async fn nobodys_sessions_and_those_of_the_mighty_stay() {
        let nobody = end(UserId(Uuid::from_u128(9)), ForcedOut::Now(0)).await;
        assert!(matches!(nobody, Err(OthersSessionsError::NoSuchUser)));
        let mighty = end(USER, ForcedOut::Denied(Denied::OutOfReach)).await;
        assert!(matches!(
            mighty,
            Err(OthersSessionsError::Denied(Denied::OutOfReach))
        ));
    }
}
