use crate::{
    authority::{Capability, UsersWrite},
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    steps::{self, ChangeRequest},
    user::{User, UserStatus},
};
use std::sync::Arc;

/// Disables or enables a user. Once disabling returns, none of the user's tokens is accepted anywhere.
pub struct SetStatus {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SetStatus {
    /// Returns the user as they are now.
    ///
    /// # Errors
    /// [`ChangeError`]; nothing has changed then.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
        status: UserStatus,
    ) -> Result<User, ChangeError> {
        let (_, account, context) =
            steps::prepare(&*self.accounts, &*self.clock, by.requester(), request).await?;
        let command = Arc::new(changes::SetStatus { account, status });
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        authority::Denied,
        ports::{Administered, MockUsers},
        revision::Revision,
        role::{Permission, Permissions},
        use_cases::{
            UserRef,
            fixtures::{USER, caller_with, clock, credentials, origin, user},
        },
    };

    fn request(whom: UserRef) -> ChangeRequest {
        ChangeRequest {
            whom,
            if_revision: Some(Revision(7)),
            origin: origin(),
        }
    }

    async fn disable(whom: UserRef, answer: Administered) -> Result<User, AdministerError> {
        let mut users = MockUsers::new();
        users
            .expect_find_by_login()
            .returning(|login| Ok((login.as_str() == "alice").then(credentials)));
        users.expect_find().returning(|id| Ok((id == USER).then(user)));
        users
            .expect_set_status()
            .withf(|whom, status, context| {
                whom.user == USER
                    && whom.if_revision == Some(Revision(7))
                    && whom.authorized_by.is_none()
                    && *status == UserStatus::Disabled
                    && context.actor == Actor::Operator
            })
            .returning(move |_, _, _| Ok(answer.clone()));
        SetStatus::new(Arc::new(users), clock())
            .execute(Capability::of_operator(), request(whom), UserStatus::Disabled)
            .await
    }

    #[tokio::test]
    async fn the_operator_disables_by_any_spelling_of_the_login_and_by_id() {
        for whom in [UserRef::Login("ALICE".to_owned()), UserRef::Id(USER)] {
            assert!(disable(whom, Administered::Now(user())).await.is_ok());
        }
    }

    #[tokio::test]
    async fn a_login_that_nobody_has_or_can_have_is_nobodys() {
        for login in ["nobody", "", "no login"] {
            let nobody = disable(UserRef::Login(login.to_owned()), Administered::Now(user())).await;
            assert!(matches!(nobody, Err(AdministerError::NoSuchUser)), "{login:?}");
        }
    }

    #[tokio::test]
    async fn storage_has_the_last_word() {
        for (answer, told) in [
            (Administered::NoSuchUser, "there is no such user"),
            (
                Administered::LastAdmin,
                "the last active admin cannot be disabled or deleted",
            ),
            (Administered::AnotherRevision, "the user has changed meanwhile"),
            (
                Administered::Denied(Denied::OutOfReach),
                "this would change somebody or something with more rights than the caller has",
            ),
        ] {
            let refused = disable(UserRef::Id(USER), answer).await.expect_err("a refusal");
            assert_eq!(refused.to_string(), told);
        }
    }

    #[tokio::test]
    async fn what_a_caller_asks_for_is_done_on_their_word() {
        let caller = caller_with(Permissions::from([Permission::USERS_WRITE]));
        let word = caller.identity();
        let mut users = MockUsers::new();
        users.expect_find().returning(|_| Ok(Some(user())));
        users
            .expect_set_status()
            .withf(move |whom, _, context| {
                whom.authorized_by == Some(word) && context.actor == Actor::User(USER)
            })
            .once()
            .returning(|_, _, _| Ok(Administered::Now(user())));
        let by = caller.capability().expect("the permission is there");
        let done = SetStatus::new(Arc::new(users), clock())
            .execute(by, request(UserRef::Id(USER)), UserStatus::Active)
            .await;
        assert!(done.is_ok());
    }
}
