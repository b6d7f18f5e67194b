use crate::{
    audit::{AuditContext, Origin},
    authority::{Capability, SessionsList, SessionsRevoke},
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
    /// Returns a [`ChangeError`] if the user does not exist or a port fails.
    pub async fn list(
        &self,
        _by: Capability<'_, SessionsList>,
        user: &UserRef,
    ) -> Result<Vec<SessionSummary>, ChangeError> {
        let user = self.find(user).await?;
        Ok(steps::live_sessions(&*self.sessions, user, self.clock.now()).await?)
    }

    /// Ends all of a user's sessions and returns their number. When this returns, every replica
    /// rejects the tokens of these sessions.
    ///
    /// # Errors
    /// Returns a [`ChangeError`]. After a port error the sessions may have ended; after any other
    /// error they have not.
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
        let context = AuditContext::new(self.clock.now(), requester.actor(), origin);
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
        audit::Actor,
        authority::Denied,
        caller::Caller,
        changes::{
            Facts,
            fixtures::{admin, facts_about},
        },
        fixtures::{USER, caller_with, now, origin, snapshot_with, user},
        ports::{MockAccounts, MockSessionDirectory},
        role::{Permission, Permissions},
        use_cases::fixtures::{clock, expect_change},
        user::User,
    };
    use uuid::Uuid;

    const ANOTHER: UserId = UserId(Uuid::from_u128(77));

    fn revoker_permissions() -> Permissions {
        Permissions::from([Permission::SESSIONS_REVOKE])
    }

    fn revoker() -> Caller {
        caller_with(revoker_permissions())
    }

    fn another(user: User) -> User {
        User { id: ANOTHER, ..user }
    }

    /// Facts about `user`, loaded for the token of [`revoker`].
    fn facts(user: User) -> Facts {
        Facts {
            caller: Some(snapshot_with(revoker_permissions())),
            ..facts_about(user)
        }
    }

    /// Storage that finds only [`ANOTHER`].
    fn accounts() -> MockAccounts {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find()
            .returning(|id| Ok((id == ANOTHER).then(|| another(user()))));
        accounts
    }

    fn over(accounts: MockAccounts, sessions: MockSessionDirectory) -> UserSessions {
        UserSessions {
            accounts: Arc::new(accounts),
            sessions: Arc::new(sessions),
            clock: clock(),
        }
    }

    async fn end(user: UserId, accounts: MockAccounts) -> Result<u64, ChangeError> {
        let revoker = revoker();
        let by = revoker.capability().expect("the caller has the permission");
        over(accounts, MockSessionDirectory::new())
            .end(by, &UserRef::Id(user), origin())
            .await
    }

    #[tokio::test]
    async fn the_number_of_ended_sessions_is_returned() {
        let mut accounts = accounts();
        expect_change(&mut accounts, facts(another(user())), |executed| {
            assert_eq!(executed.reads.account, Some(ANOTHER));
            assert_eq!(executed.reads.caller, Some(revoker().identity()));
            assert_eq!(executed.context.actor, Actor::User(USER));
        });
        assert!(matches!(end(ANOTHER, accounts).await, Ok(3)));
    }

    #[tokio::test]
    async fn sessions_of_unknown_and_more_privileged_users_are_not_ended() {
        let mut unused = accounts();
        unused.expect_execute().never();
        let missing = end(UserId(Uuid::from_u128(9)), unused).await;
        assert!(matches!(
            missing,
            Err(ChangeError::Refused(Refusal::UserNotFound))
        ));
        let mut accounts = accounts();
        expect_change(&mut accounts, facts(another(admin())), |_| {});
        let outranking = end(ANOTHER, accounts).await;
        assert!(matches!(
            outranking,
            Err(ChangeError::Refused(Refusal::Denied(Denied::OutOfReach)))
        ));
    }

    #[tokio::test]
    async fn the_sessions_of_another_user_are_listed_as_of_now() {
        let mut sessions = MockSessionDirectory::new();
        sessions
            .expect_list()
            .withf(|user, at| *user == ANOTHER && *at == now())
            .once()
            .returning(|_, _| Ok(vec![]));
        let revoker = revoker();
        let by = revoker.capability().expect("the caller has the permission");
        let listed = over(accounts(), sessions).list(by, &UserRef::Id(ANOTHER)).await;
        assert!(listed.expect("storage is available").is_empty());
    }
}
