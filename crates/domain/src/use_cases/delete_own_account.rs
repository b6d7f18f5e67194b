use super::{
    ConfirmPassword, ConfirmPasswordError,
    administer::{self, AdministerError},
};
use crate::{
    audit::{Actor, AuditContext, Origin},
    caller::Caller,
    password::Password,
    ports::{Administer, Clock, PortError, Users},
};
use std::{sync::Arc, time::Duration};
use thiserror::Error;

/// Removes the caller, who has to give their password once more. When this returns, none of their tokens is accepted
/// anywhere.
pub struct DeleteOwnAccount {
    confirm_password: Arc<ConfirmPassword>,
    users: Arc<dyn Users>,
    clock: Arc<dyn Clock>,
}

#[derive(Debug, Error)]
pub enum DeleteOwnAccountError {
    #[error("the password is wrong")]
    InvalidCredentials,
    #[error("too many attempts")]
    TooManyAttempts { retry_after: Duration },
    /// The caller changed, or their session ended, while this was decided.
    #[error("the caller's token is outdated")]
    Outdated,
    #[error("the last active admin cannot be deleted")]
    LastAdmin,
    #[error(transparent)]
    Port(#[from] PortError),
}

impl From<ConfirmPasswordError> for DeleteOwnAccountError {
    fn from(error: ConfirmPasswordError) -> Self {
        match error {
            ConfirmPasswordError::InvalidCredentials => Self::InvalidCredentials,
            ConfirmPasswordError::TooManyAttempts { retry_after } => Self::TooManyAttempts { retry_after },
            ConfirmPasswordError::Outdated => Self::Outdated,
            ConfirmPasswordError::Port(error) => Self::Port(error),
        }
    }
}

impl From<AdministerError> for DeleteOwnAccountError {
    fn from(error: AdministerError) -> Self {
        match error {
            AdministerError::LastAdmin => Self::LastAdmin,
            AdministerError::Port(error) => Self::Port(error),
            // Whoever is gone, or is not who they were when their token was accepted.
            AdministerError::NoSuchUser | AdministerError::AnotherRevision | AdministerError::Denied(_) => {
                Self::Outdated
            }
        }
    }
}

impl DeleteOwnAccount {
    pub fn new(confirm_password: Arc<ConfirmPassword>, users: Arc<dyn Users>, clock: Arc<dyn Clock>) -> Self {
        Self {
            confirm_password,
            users,
            clock,
        }
    }

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
        let whom = Administer {
            user,
            if_revision: None,
            authorized_by: Some(caller.identity()),
        };
        let context = AuditContext {
            at: self.clock.now(),
            actor: Actor::User(user),
            origin,
        };
        administer::settle(self.users.delete(whom, context).await?)?;
        Ok(())
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
