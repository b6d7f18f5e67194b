use crate::{
    login::Login,
    password::{NewPassword, Password, PasswordPolicy, PasswordRefused, UnratedPassword},
    ports::{PasswordMeter, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// Decides whether a password will do for an account. A step of several use cases, in two parts: a caller does whatever
/// may spare the costly one in between.
pub struct AcceptPassword {
    meter: Arc<dyn PasswordMeter>,
    policy: PasswordPolicy,
}

/// Why a password was not accepted.
#[derive(Debug, Error)]
pub enum AcceptPasswordError {
    #[error(transparent)]
    Refused(#[from] PasswordRefused),
    #[error(transparent)]
    Port(#[from] PortError),
}

impl AcceptPassword {
    pub fn new(meter: Arc<dyn PasswordMeter>, policy: PasswordPolicy) -> Self {
        Self { meter, policy }
    }

    /// Checks the rules that cost nothing.
    ///
    /// # Errors
    /// The first broken rule, never [`PasswordRefused::TooWeak`].
    pub fn check(
        &self,
        password: Password,
        login: Option<&Login>,
    ) -> Result<UnratedPassword, PasswordRefused> {
        self.policy.check(password, login)
    }

    /// Has the password rated, which costs about as much as a hash.
    ///
    /// # Errors
    /// [`PasswordRefused::TooWeak`], or the meter's own.
    pub async fn execute(&self, unrated: UnratedPassword) -> Result<NewPassword, AcceptPasswordError> {
        let (password, known) = (unrated.password().clone(), unrated.known().to_vec());
        let strength = self.meter.rate(password, known).await?;
        Ok(self.policy.accept(unrated, strength)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ports::Strength,
        use_cases::fixtures::{GOOD_PASSWORD, accept_password, password, user},
    };

    async fn accept(
        rated: impl Fn() -> Result<Strength, PortError> + Send + Sync + 'static,
    ) -> Result<NewPassword, AcceptPasswordError> {
        let accept = accept_password(move |meter| {
            meter
                .expect_rate()
                .withf(|password, known| {
                    password.expose() == GOOD_PASSWORD && *known == ["Alice", "alice", "authapi"]
                })
                .once()
                .returning(move |_, _| rated());
        });
        let unrated = accept.check(password(GOOD_PASSWORD), Some(&user().login))?;
        accept.execute(unrated).await
    }

    #[tokio::test]
    async fn a_password_is_rated_whole_and_with_the_words_that_are_known() {
        let strong = || {
            Ok(Strength {
                score: 2,
                advice: None,
            })
        };
        let accepted = accept(strong).await.expect("a strong password");
        assert_eq!(accepted.into_password().expose(), GOOD_PASSWORD);
    }

    #[tokio::test]
    async fn a_weak_password_is_refused_with_the_meters_advice() {
        let weak = || {
            Ok(Strength {
                score: 1,
                advice: Some("no".to_owned()),
            })
        };
        let refused = accept(weak).await;
        assert!(matches!(
            refused,
            Err(AcceptPasswordError::Refused(PasswordRefused::TooWeak { advice })) if advice == "no"
        ));
    }

    #[tokio::test]
    async fn a_password_that_nobody_has_time_to_rate_is_not_accepted() {
        let refused = accept(|| Err(PortError::Overloaded)).await;
        assert!(matches!(
            refused,
            Err(AcceptPasswordError::Port(PortError::Overloaded))
        ));
    }

    #[test]
    fn a_password_that_breaks_a_cheap_rule_is_never_rated() {
        let accept = accept_password(|meter| {
            meter.expect_rate().never();
        });
        let refused = accept.check(password("short"), None);
        assert!(matches!(refused, Err(PasswordRefused::TooShort { min: 8 })));
    }
}
