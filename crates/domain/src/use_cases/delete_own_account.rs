use crate::{
    audit::{Actor, AuditContext, Origin},
    authority::Denied,
    caller::UserCaller,
    changes::{self, Account, ChangeError, Refusal},
    password::Password,
    ports::{Accounts, Clock, HashClient, HashTicket},
    steps::{ConfirmPassword, ConfirmPasswordError},
};
use std::sync::Arc;
use thiserror::Error;

/// Deletes the caller, who must confirm with their password. When [`execute`](Self::execute)
/// returns, every replica rejects the caller's tokens.
pub struct DeleteOwnAccount {
    pub(crate) confirm_password: Arc<ConfirmPassword>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

/// Why the caller was not deleted.
#[derive(Debug, Error)]
pub enum DeleteOwnAccountError {
    #[error(transparent)]
    Confirm(#[from] ConfirmPasswordError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl DeleteOwnAccount {
    /// Verifies the password and deletes the caller.
    ///
    /// # Errors
    /// Returns a [`DeleteOwnAccountError`]. After a port error the caller may have been deleted;
    /// after any other error they were not.
    pub async fn execute(
        &self,
        caller: &UserCaller,
        password: Password,
        origin: Origin,
    ) -> Result<(), DeleteOwnAccountError> {
        self.confirm_password.take_attempt(caller).await?;
        self.confirm_password
            .execute(
                caller,
                password,
                &origin,
                &mut HashTicket::new(HashClient::of(&origin, true)),
            )
            .await?;
        let user = caller.user().id;
        let command = changes::DeleteUser(Account {
            user,
            if_revision: None,
            authorized_by: Some(caller.identity()),
        });
        let context = AuditContext::new(self.clock.now(), Actor::User(user), origin);
        match self.accounts.execute(Arc::new(command), context).await {
            Ok(_) => Ok(()),
            // Another request deleted the caller after their token was accepted.
            Err(ChangeError::Refused(Refusal::UserNotFound)) => Err(ChangeError::from(Denied::Stale).into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        changes::{
            Facts,
            fixtures::{admin, own_facts},
        },
        fixtures::{SESSION, USER, audit_context, caller, credentials, origin, password, user_caller},
        ports::{MockAccounts, MockPasswordHasher, MockThrottle, Verification},
        role::Permissions,
        throttle::{Attempt, BudgetKind, BudgetName, ThrottleDecision},
        use_cases::fixtures::{clock, confirm_password, expect_change, record_any_failed_attempt},
    };
    use mockall::predicate::eq;
    use std::time::Duration;

    /// Deletes the caller over storage that loads `facts`, or that expects no change.
    async fn delete(
        decision: ThrottleDecision,
        verification: Verification,
        facts: Option<Facts>,
    ) -> Result<(), DeleteOwnAccountError> {
        let mut throttle = MockThrottle::new();
        throttle
            .expect_take()
            .with(eq(Attempt::Reauthenticate { session: SESSION }))
            .once()
            .returning(move |_| Ok(decision));
        let mut accounts = MockAccounts::new();
        accounts
            .expect_find_by_login()
            .returning(|_| Ok(Some(credentials())));
        match facts {
            Some(facts) => expect_change(&mut accounts, facts, |executed| {
                assert_eq!(executed.reads.account, Some(USER));
                assert_eq!(executed.reads.caller, Some(caller().identity()));
                assert_eq!(executed.context, audit_context());
            }),
            None => {
                accounts.expect_execute().never();
            }
        }
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_verify().returning(move |_, _, _| Ok(verification));
        let (accounts, hasher) = (Arc::new(accounts), Arc::new(hasher));
        let delete = DeleteOwnAccount {
            confirm_password: confirm_password(throttle, &accounts, &hasher, record_any_failed_attempt()),
            accounts,
            clock: clock(),
        };
        delete
            .execute(&user_caller(), password("current"), origin())
            .await
    }

    #[tokio::test]
    async fn a_caller_who_gives_their_password_is_deleted() {
        let facts = own_facts(Permissions::new());
        let deleted = delete(ThrottleDecision::Allowed, Verification::Right, Some(facts)).await;
        assert!(deleted.is_ok());
    }

    #[tokio::test]
    async fn a_stolen_token_can_neither_delete_the_caller_nor_guess_the_password() {
        let wrong = delete(ThrottleDecision::Allowed, Verification::Wrong, None).await;
        assert!(matches!(
            wrong,
            Err(DeleteOwnAccountError::Confirm(
                ConfirmPasswordError::InvalidCredentials
            ))
        ));
        let retry_after = Duration::from_secs(3);
        let throttled = ThrottleDecision::Refused {
            retry_after,
            budget: BudgetKind::Session,
        };
        let refused = delete(throttled, Verification::Right, None).await;
        assert!(matches!(
            refused,
            Err(DeleteOwnAccountError::Confirm(
                ConfirmPasswordError::TooManyAttempts {
                    budget: BudgetName::Session,
                    ..
                }
            ))
        ));
    }

    #[tokio::test]
    async fn a_refusal_of_the_decision_reaches_the_caller() {
        let mut last_admin = own_facts(Permissions::new());
        last_admin
            .target
            .as_mut()
            .expect("the facts contain the target")
            .user = admin();
        let stale = Facts {
            caller: None,
            ..own_facts(Permissions::new())
        };
        for (facts, text) in [
            (
                last_admin,
                "the last active admin must keep the role admin and cannot be disabled or deleted",
            ),
            (stale, "the caller's token is outdated"),
            // Another request has deleted the caller.
            (Facts::default(), "the caller's token is outdated"),
        ] {
            let refused = delete(ThrottleDecision::Allowed, Verification::Right, Some(facts)).await;
            assert_eq!(refused.expect_err("the request is refused").to_string(), text);
        }
    }
}
