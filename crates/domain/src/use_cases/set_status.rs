use crate::{
    authority::{Capability, UsersWrite},
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    steps::{self, ChangeRequest},
    user::{User, UserStatus},
};
use std::sync::Arc;

/// Disables or enables a user. When disabling returns, every replica rejects the user's tokens.
pub struct SetStatus {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl SetStatus {
    /// Sets the status and returns the updated user.
    ///
    /// # Errors
    /// Returns a [`ChangeError`]. After a port error the change may have been made; after any other
    /// error it was not.
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
        changes::{
            Facts, Refusal,
            fixtures::{CALLER, admin, facts_about, permissions, snapshot},
        },
        fixtures::{USER, caller_with, credentials, now, origin, snapshot_with, user},
        ports::MockAccounts,
        revision::Revision,
        role::{Permission, Permissions},
        step_up::StepUp,
        steps::UserRef,
        use_cases::fixtures::{clock, expect_change},
        user::UserId,
    };
    use uuid::Uuid;

    fn request(user: UserRef) -> ChangeRequest {
        ChangeRequest {
            user,
            if_revision: Some(Revision(7)),
            origin: origin(),
        }
    }

    fn set_status(accounts: MockAccounts) -> SetStatus {
        SetStatus {
            accounts: Arc::new(accounts),
            clock: clock(),
        }
    }

    /// Storage that finds `alice` by login and id.
    fn accounts() -> MockAccounts {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find_by_login()
            .returning(|login| Ok((login.as_str() == "alice").then(credentials)));
        accounts.expect_find().returning(|id| Ok((id == USER).then(user)));
        accounts
    }

    async fn disable(user: UserRef, facts: Facts) -> Result<User, ChangeError> {
        let mut accounts = accounts();
        expect_change(&mut accounts, facts, |executed| {
            assert_eq!(executed.reads.account, Some(USER));
            assert_eq!(executed.reads.caller, None);
            assert_eq!(executed.context.actor, Actor::Operator);
            assert_eq!(executed.context.at, now());
            assert_eq!(executed.context.origin, origin());
        });
        set_status(accounts)
            .execute(Capability::of_operator(), request(user), UserStatus::Disabled)
            .await
    }

    #[tokio::test]
    async fn the_operator_disables_a_user_by_any_spelling_of_the_login_or_by_id() {
        for by in [UserRef::Login("ALICE".to_owned()), UserRef::Id(USER)] {
            let disabled = disable(by, facts_about(user()))
                .await
                .expect("the rules allow the change");
            assert_eq!(disabled.status, UserStatus::Disabled);
        }
    }

    #[tokio::test]
    async fn unknown_and_invalid_logins_are_not_found() {
        for login in ["unknown", "", "no login"] {
            let mut accounts = accounts();
            accounts.expect_execute().never();
            let refused = set_status(accounts)
                .execute(
                    Capability::of_operator(),
                    request(UserRef::Login(login.to_owned())),
                    UserStatus::Disabled,
                )
                .await;
            assert!(
                matches!(refused, Err(ChangeError::Refused(Refusal::UserNotFound))),
                "{login:?}"
            );
        }
    }

    #[tokio::test]
    async fn a_refusal_of_the_decision_reaches_the_caller() {
        let revised = User {
            revision: Revision(8),
            ..user()
        };
        for (facts, text) in [
            (Facts::default(), "the user does not exist"),
            (
                facts_about(admin()),
                "the last active admin must keep the role admin and cannot be disabled or deleted",
            ),
            (facts_about(revised), "the revision does not match"),
        ] {
            let refused = disable(UserRef::Id(USER), facts)
                .await
                .expect_err("the request is refused");
            assert_eq!(refused.to_string(), text);
        }
    }

    #[tokio::test]
    async fn a_caller_may_not_disable_a_user_with_more_rights() {
        let mut accounts = accounts();
        let facts = Facts {
            caller: Some(snapshot(permissions(&["users:write"]))),
            ..facts_about(admin())
        };
        expect_change(&mut accounts, facts, |_| {});
        let caller = Arc::new(snapshot(permissions(&["users:write"])))
            .validate(crate::changes::fixtures::token(), now())
            .expect("the session is live")
            .with_step_up(StepUp::Recent);
        assert!(caller.is(CALLER));
        let refused = set_status(accounts)
            .execute(
                caller.capability().expect("the caller has the permission"),
                request(UserRef::Id(USER)),
                UserStatus::Disabled,
            )
            .await;
        assert!(matches!(
            refused,
            Err(ChangeError::Refused(Refusal::Denied(Denied::OutOfReach)))
        ));
    }

    #[tokio::test]
    async fn the_change_is_made_with_the_authority_of_the_callers_token() {
        let permissions = Permissions::from([Permission::USERS_WRITE]);
        let caller = caller_with(permissions.clone());
        let another = User {
            id: UserId(Uuid::from_u128(77)),
            status: UserStatus::Disabled,
            ..user()
        };
        let identity = caller.identity();
        let mut accounts = MockAccounts::new();
        let found = another.clone();
        accounts.expect_find().returning(move |_| Ok(Some(found.clone())));
        let facts = Facts {
            caller: Some(snapshot_with(permissions)),
            ..facts_about(another.clone())
        };
        expect_change(&mut accounts, facts, move |executed| {
            assert_eq!(executed.reads.caller, Some(identity));
            assert_eq!(executed.context.actor, Actor::User(USER));
        });
        let by = caller.capability().expect("the caller has the permission");
        let enabled = set_status(accounts)
            .execute(by, request(UserRef::Id(another.id)), UserStatus::Active)
            .await
            .expect("the rules allow the change");
        assert_eq!(enabled.status, UserStatus::Active);
    }
}
