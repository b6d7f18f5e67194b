use crate::{
    authority::{Capability, UsersWrite},
    changes::{self, ChangeError},
    ports::{Accounts, Clock},
    steps::{self, ChangeRequest},
    user::User,
};
use std::sync::Arc;

/// Deletes a user permanently. When [`execute`](Self::execute) returns, every replica rejects the
/// user's tokens.
pub struct DeleteUser {
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl DeleteUser {
    /// Deletes the user and returns their last state.
    ///
    /// # Errors
    /// Returns a [`ChangeError`]. After a port error the user may have been deleted; after any
    /// other error they were not.
    pub async fn execute(
        &self,
        by: Capability<'_, UsersWrite>,
        request: ChangeRequest,
    ) -> Result<User, ChangeError> {
        let (_, account, context) =
            steps::prepare(&*self.accounts, &*self.clock, by.requester(), request).await?;
        let command = Arc::new(changes::DeleteUser(account));
        let applied = self.accounts.execute(command, context).await?;
        Ok(applied.into_user()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        audit::Actor,
        changes::{
            Facts, Refusal,
            fixtures::{admin, facts_about},
        },
        fixtures::{USER, credentials, now, origin, user},
        ports::MockAccounts,
        revision::Revision,
        steps::UserRef,
        use_cases::fixtures::{clock, expect_change},
    };

    async fn delete(login: &str, facts: Option<Facts>) -> Result<User, ChangeError> {
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find_by_login()
            .returning(|login| Ok((login.as_str() == "alice").then(credentials)));
        if let Some(facts) = facts {
            expect_change(&mut accounts, facts, |executed| {
                assert_eq!(executed.reads.account, Some(USER));
                assert_eq!(executed.reads.caller, None);
                assert_eq!(executed.context.actor, Actor::Operator);
                assert_eq!(executed.context.at, now());
                assert_eq!(executed.context.origin, origin());
            });
        }
        let delete = DeleteUser {
            accounts: Arc::new(accounts),
            clock: clock(),
        };
        let request = ChangeRequest {
            user: UserRef::Login(login.to_owned()),
            if_revision: Some(Revision(7)),
            origin: origin(),
        };
        delete.execute(Capability::of_operator(), request).await
    }

    #[tokio::test]
    async fn the_deleted_user_is_returned_as_they_were() {
        let deleted = delete("ALICE", Some(facts_about(user()))).await;
        assert_eq!(deleted.expect("the rules allow the change"), user());
    }

    #[tokio::test]
    async fn an_unknown_login_is_not_found() {
        let refused = delete("bob", None).await;
        assert!(matches!(
            refused,
            Err(ChangeError::Refused(Refusal::UserNotFound))
        ));
    }

    #[tokio::test]
    async fn a_refusal_of_the_decision_reaches_the_caller() {
        let revised = User {
            revision: Revision(8),
            ..user()
        };
        for (facts, text) in [
            (
                facts_about(admin()),
                "the last active admin must keep the role admin and cannot be disabled or deleted",
            ),
            (facts_about(revised), "the revision does not match"),
        ] {
            let refused = delete("alice", Some(facts))
                .await
                .expect_err("the request is refused");
            assert_eq!(refused.to_string(), text);
        }
    }
}
