use crate::{
    login::Login,
    password::{NewPassword, Password, PasswordHash, PasswordPolicy, PasswordRefused, UnratedPassword},
    ports::{HashTicket, PasswordHasher, PasswordMeter, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// Checks, rates and hashes a new password.
///
/// A step of several use cases. Its parts are the cheap [`check`](Self::check) and the costly
/// [`rate`](Self::rate) and [`hash`](Self::hash), so that a use case can perform other checks in
/// between that make the costly parts unnecessary.
pub struct AcceptPassword {
    pub(crate) meter: Arc<dyn PasswordMeter>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) policy: PasswordPolicy,
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
    /// Checks the rules that cost nothing.
    ///
    /// # Errors
    /// Returns the first violation, but never [`PasswordRefused::TooWeak`].
    pub fn check(
        &self,
        password: Password,
        login: Option<&Login>,
    ) -> Result<UnratedPassword, PasswordRefused> {
        self.policy.check(password, login)
    }

    /// Rates the password and, if it is strong enough, hashes it.
    ///
    /// # Errors
    /// Returns [`PasswordRefused::TooWeak`], or an error of the meter or the hasher.
    pub async fn execute(
        &self,
        unrated: UnratedPassword,
        ticket: &mut HashTicket,
    ) -> Result<PasswordHash, AcceptPasswordError> {
        let accepted = self.rate(unrated, ticket).await?;
        Ok(self.hash(accepted, ticket).await?)
    }

    /// Rates the password, which costs about as much as hashing it.
    ///
    /// # Errors
    /// Returns [`PasswordRefused::TooWeak`], or an error of the meter.
    pub async fn rate(
        &self,
        unrated: UnratedPassword,
        ticket: &mut HashTicket,
    ) -> Result<NewPassword, AcceptPasswordError> {
        let (password, known) = (unrated.password().clone(), unrated.known().to_vec());
        let strength = self.meter.rate(password, known, ticket).await?;
        Ok(self.policy.accept(unrated, strength)?)
    }

    /// Hashes a password that was rated on the same ticket.
    ///
    /// # Errors
    /// Returns an error of the hasher.
    pub async fn hash(
        &self,
        accepted: NewPassword,
        ticket: &mut HashTicket,
    ) -> Result<PasswordHash, PortError> {
        self.hasher.hash(accepted.into_password(), ticket).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{GOOD_PASSWORD, hash, password, user},
        ports::{MockPasswordHasher, MockPasswordMeter, Strength},
        use_cases::fixtures::accept_password,
    };

    /// Accepts a password that is rated `rated`, with a hasher configured by `expect_hasher`.
    async fn accept(
        rated: impl Fn() -> Result<Strength, PortError> + Send + Sync + 'static,
        expect_hasher: impl FnOnce(&mut MockPasswordHasher),
    ) -> Result<PasswordHash, AcceptPasswordError> {
        let mut hasher = MockPasswordHasher::new();
        expect_hasher(&mut hasher);
        let expect_meter = |meter: &mut MockPasswordMeter| {
            meter
                .expect_rate()
                .withf(|password, known, ticket| {
                    assert!(!ticket.is_admitted());
                    password.expose() == GOOD_PASSWORD && *known == ["Alice", "alice", "authapi"]
                })
                .once()
                .returning(move |_, _, ticket| {
                    ticket.admit();
                    rated()
                });
        };
        let accept = accept_password(expect_meter, Arc::new(hasher));
        let unrated = accept.check(password(GOOD_PASSWORD), Some(&user().login))?;
        accept.execute(unrated, &mut HashTicket::default()).await
    }

    fn never_hash(hasher: &mut MockPasswordHasher) {
        hasher.expect_hash().never();
    }

    #[tokio::test]
    async fn the_whole_password_is_rated_with_the_known_words_and_hashed_on_the_same_ticket() {
        let strong = || {
            Ok(Strength {
                score: 2,
                advice: None,
            })
        };
        let hashed = accept(strong, |hasher| {
            hasher
                .expect_hash()
                .withf(|password, ticket| password.expose() == GOOD_PASSWORD && ticket.is_admitted())
                .once()
                .returning(|_, _| Ok(hash("$made")));
        })
        .await;
        assert_eq!(hashed.expect("a strong password is accepted"), hash("$made"));
    }

    #[tokio::test]
    async fn a_weak_password_is_refused_with_the_meters_advice() {
        let weak = || {
            Ok(Strength {
                score: 1,
                advice: Some("no".to_owned()),
            })
        };
        let refused = accept(weak, never_hash).await;
        assert!(matches!(
            refused,
            Err(AcceptPasswordError::Refused(PasswordRefused::TooWeak { advice })) if advice == "no"
        ));
    }

    #[tokio::test]
    async fn a_password_is_not_accepted_if_the_meter_is_overloaded() {
        let refused = accept(|| Err(PortError::Overloaded), never_hash).await;
        assert!(matches!(
            refused,
            Err(AcceptPasswordError::Port(PortError::Overloaded))
        ));
    }

    #[test]
    fn a_password_that_violates_a_cheap_rule_is_never_rated() {
        let expect_meter = |meter: &mut MockPasswordMeter| {
            meter.expect_rate().never();
        };
        let accept = accept_password(expect_meter, Arc::default());
        let refused = accept.check(password("short"), None);
        assert!(matches!(refused, Err(PasswordRefused::TooShort { min: 8 })));
    }
}
