use crate::{
    login::Login,
    password::{NewPassword, Password, PasswordHash, PasswordPolicy, PasswordRefused, UnratedPassword},
    ports::{BreachedPasswords, Clock, HashTicket, PasswordHasher, PasswordMeter, PortError},
};
use std::sync::Arc;
use thiserror::Error;

/// Checks, rates, looks up and hashes a new password.
///
/// A step of several use cases. Its parts are the cheap [`check`](Self::check) and the costly
/// [`rate`](Self::rate) and [`hash`](Self::hash), so that a use case can perform other checks in
/// between that make the costly parts unnecessary.
pub struct AcceptPassword {
    pub(crate) meter: Arc<dyn PasswordMeter>,
    pub(crate) breached: Arc<dyn BreachedPasswords>,
    pub(crate) hasher: Arc<dyn PasswordHasher>,
    pub(crate) clock: Arc<dyn Clock>,
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
    /// Returns the first violation, but never [`PasswordRefused::TooWeak`] or
    /// [`PasswordRefused::Breached`].
    pub fn check(
        &self,
        password: Password,
        login: Option<&Login>,
    ) -> Result<UnratedPassword, PasswordRefused> {
        self.policy.check(password, login, self.clock.now())
    }

    /// Rates the password. If it is strong enough, looks it up in the list of breached passwords
    /// and, if it is not listed, hashes it.
    ///
    /// # Errors
    /// Returns [`PasswordRefused::TooWeak`] or [`PasswordRefused::Breached`], or an error of the
    /// meter, the list or the hasher.
    pub async fn execute(
        &self,
        unrated: UnratedPassword,
        ticket: &mut HashTicket,
    ) -> Result<PasswordHash, AcceptPasswordError> {
        let accepted = self.rate(unrated, ticket).await?;
        Ok(self.hash(accepted, ticket).await?)
    }

    /// Rates the password, which costs about as much as hashing it, and looks it up in the list of
    /// breached passwords.
    ///
    /// # Errors
    /// Returns [`PasswordRefused::TooWeak`] or [`PasswordRefused::Breached`], or an error of the
    /// meter or the list.
    pub async fn rate(
        &self,
        unrated: UnratedPassword,
        ticket: &mut HashTicket,
    ) -> Result<NewPassword, AcceptPasswordError> {
        let (password, known) = (unrated.password().clone(), unrated.known().to_vec());
        let strength = self.meter.rate(password, known, ticket).await?;
        let accepted = self.policy.accept(unrated, &strength)?;
        if self
            .breached
            .contains(accepted.password().clone(), ticket)
            .await?
        {
            return Err(PasswordRefused::Breached.into());
        }
        Ok(accepted)
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
        ports::{MockBreachedPasswords, MockPasswordHasher, MockPasswordMeter, Strength},
        use_cases::fixtures::{accept_password, clock, rating},
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
                    password.expose() == GOOD_PASSWORD
                        && known.starts_with(&["Alice", "alice", "authapi"].map(str::to_owned))
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
                score: 3,
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
                score: 2,
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

    /// Accepts [`GOOD_PASSWORD`] over a list that returns `listed`, and expects no hash.
    async fn look_up(listed: Result<bool, PortError>) -> Result<PasswordHash, AcceptPasswordError> {
        let (mut meter, mut breached) = (MockPasswordMeter::new(), MockBreachedPasswords::new());
        rating(4)(&mut meter);
        breached
            .expect_contains()
            .withf(|password, _| password.expose() == GOOD_PASSWORD)
            .return_once(|_, _| listed);
        let mut hasher = MockPasswordHasher::new();
        never_hash(&mut hasher);
        let accept = AcceptPassword {
            meter: Arc::new(meter),
            breached: Arc::new(breached),
            hasher: Arc::new(hasher),
            clock: clock(),
            policy: PasswordPolicy::default(),
        };
        let unrated = accept.check(password(GOOD_PASSWORD), None)?;
        accept.execute(unrated, &mut HashTicket::default()).await
    }

    #[tokio::test]
    async fn a_strong_password_that_is_breached_is_refused_and_costs_no_hash() {
        assert!(matches!(
            look_up(Ok(true)).await,
            Err(AcceptPasswordError::Refused(PasswordRefused::Breached))
        ));
    }

    #[tokio::test]
    async fn a_password_is_not_accepted_if_the_list_is_unavailable() {
        assert!(matches!(
            look_up(Err(PortError::Overloaded)).await,
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
