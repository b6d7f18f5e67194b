use crate::{
    audit::{Actor, AuditContext, Origin},
    authority::Denied,
    caller::Caller,
    changes::{self, Account, ChangeError, Refusal},
    password::Password,
    ports::{Accounts, Clock},
    steps::{ConfirmPassword, ConfirmPasswordError},
};
use std::sync::Arc;
use thiserror::Error;

/// Removes the caller, who gives their password once more. When this returns, none of their tokens is accepted anywhere.
pub struct DeleteOwnAccount {
    pub(crate) confirm_password: Arc<ConfirmPassword>,
    pub(crate) accounts: Arc<dyn Accounts>,
    pub(crate) clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum DeleteOwnAccountError {
    #[error(transparent)]
    Confirm(#[from] ConfirmPasswordError),
    #[error(transparent)]
    Change(#[from] ChangeError),
}

impl DeleteOwnAccount {
    /// # Errors
    /// [`DeleteOwnAccountError`]; nothing has changed then.
    pub async fn execute(
        &self,
        caller: &Caller,
        password: Password,
        origin: Origin,
    ) -> Result<(), DeleteOwnAccountError> {
        self.confirm_password.take_attempt(caller, &origin).await?;
        self.confirm_password.execute(caller, password, &origin).await?;
        let user = caller.user().id;
        let command = changes::DeleteUser(Account {
            user,
            if_revision: None,
            authorized_by: Some(caller.identity()),
        });
        let context = AuditContext {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        match self.accounts.execute(Arc::new(command), context).await {
            Ok(_) => Ok(()),
            // Another request removed the caller after their token was accepted.
            Err(ChangeError::Refused(Refusal::UserNotFound)) => Err(ChangeError::from(Denied::Stale).into()),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        authority::Denied,
        ports::{Administered, MockPasswordHasher, MockThrottle, MockUsers, Verification},
        throttle::ThrottleDecision,
        use_cases::fixtures::{USER, caller, clock, credentials, note_any_failure, origin, password, user},
    };

    async fn delete(
        decision: ThrottleDecision,
        verification: Verification,
        answer: Option<Administered>,
    ) -> Result<(), DeleteOwnAccountError> {
        let mut throttle = MockThrottle::new();
        throttle.expect_take().returning(move |_| Ok(decision));
        let mut users = MockUsers::new();
        users
            .expect_find_by_login()
            .returning(|_| Ok(Some(credentials())));
        let times = usize::from(answer.is_some());
        users
            .expect_delete()
            .withf(|whom, context| {
                whom.user == USER
                    && whom.authorized_by == Some(caller().identity())
                    && context.actor == Actor::User(USER)
            })
            .times(times)
            .returning(move |_, _| Ok(answer.clone().expect("called only with an answer")));
        let mut hasher = MockPasswordHasher::new();
        hasher.expect_verify().returning(move |_, _| Ok(verification));
        let users = Arc::new(users);
        let confirm = ConfirmPassword::new(
            Arc::new(throttle),
            Arc::clone(&users) as _,
            Arc::new(hasher),
            note_any_failure(),
            clock(),
        );
        DeleteOwnAccount::new(Arc::new(confirm), users, clock())
            .execute(&caller(), password("current"), origin())
            .await
    }

    #[tokio::test]
    async fn whoever_gives_their_password_is_gone() {
        let answer = Some(Administered::Now(user()));
        let deleted = delete(ThrottleDecision::Allowed, Verification::Right, answer).await;
        assert!(deleted.is_ok());
    }

    #[tokio::test]
    async fn a_stolen_token_is_not_enough_and_does_not_help_to_guess() {
        let wrong = delete(ThrottleDecision::Allowed, Verification::Wrong, None).await;
        assert!(matches!(wrong, Err(DeleteOwnAccountError::InvalidCredentials)));
        let retry_after = Duration::from_secs(3);
        let throttled = ThrottleDecision::Refused { retry_after };
        let refused = delete(throttled, Verification::Right, None).await;
        assert!(matches!(
            refused,
            Err(DeleteOwnAccountError::TooManyAttempts { .. })
        ));
    }

    #[tokio::test]
    async fn storage_has_the_last_word() {
        for (answer, told) in [
            (Administered::LastAdmin, "the last active admin cannot be deleted"),
            (
                Administered::Denied(Denied::Stale),
                "the caller's token is outdated",
            ),
            (Administered::NoSuchUser, "the caller's token is outdated"),
        ] {
            let refused = delete(ThrottleDecision::Allowed, Verification::Right, Some(answer)).await;
            assert_eq!(refused.expect_err("a refusal").to_string(), told);
        }
    }
}
