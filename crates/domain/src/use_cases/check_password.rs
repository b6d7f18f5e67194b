use crate::{
    login::Login,
    password::{Password, PasswordPolicy, PasswordRefused},
    ports::{BreachedPasswords, Clock, HashTicket, PasswordMeter, PortError, Strength},
};
use std::sync::Arc;

/// Checks whether a password would be accepted for a new account, without storing anything.
pub struct CheckPassword {
    pub(crate) meter: Arc<dyn PasswordMeter>,
    pub(crate) breached: Arc<dyn BreachedPasswords>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) policy: PasswordPolicy,
}

/// The result of checking a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PasswordReport {
    /// The rating, also of a password that violates another rule.
    pub strength: Strength,
    /// The violations, in the order in which a new password is checked. A password without one is
    /// accepted.
    pub refusals: Vec<PasswordRefused>,
}

impl CheckPassword {
    /// Checks `password` against every rule. `login` is the login of the account, if it is known.
    ///
    /// # Errors
    /// Returns an error of the meter or the list of breached passwords.
    pub async fn execute(
        &self,
        password: Password,
        login: Option<&Login>,
    ) -> Result<PasswordReport, PortError> {
        let (now, mut ticket) = (self.clock.now(), HashTicket::default());
        let known = self.policy.known_words(login, now);
        let strength = self.meter.rate(password.clone(), known, &mut ticket).await?;
        let breached = self.breached.contains(password.clone(), &mut ticket).await?;
        let refused = self.policy.check(password, login, now).err();
        let refusals = [
            refused,
            self.policy.too_weak(&strength),
            breached.then_some(PasswordRefused::Breached),
        ];
        Ok(PasswordReport {
            strength,
            refusals: refusals.into_iter().flatten().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures::{GOOD_PASSWORD, password, user},
        ports::{MockBreachedPasswords, MockPasswordMeter},
        use_cases::fixtures::{clock, rating},
    };

    /// Checks `text` for the login of [`user`], with this rating and result of the list.
    async fn codes(text: &str, score: u8, is_breached: bool) -> Vec<&'static str> {
        let (mut meter, mut breached) = (MockPasswordMeter::new(), MockBreachedPasswords::new());
        rating(score)(&mut meter);
        breached
            .expect_contains()
            .once()
            .returning(move |_, _| Ok(is_breached));
        let check = CheckPassword {
            meter: Arc::new(meter),
            breached: Arc::new(breached),
            clock: clock(),
            policy: PasswordPolicy::default(),
        };
        let report = check.execute(password(text), Some(&user().login)).await;
        let report = report.expect("the ports are available");
        assert_eq!(report.strength.score, score);
        report.refusals.iter().map(PasswordRefused::code).collect()
    }

    #[tokio::test]
    async fn a_password_that_follows_every_rule_has_no_refusal() {
        assert!(codes(GOOD_PASSWORD, 3, false).await.is_empty());
    }

    #[tokio::test]
    async fn every_kind_of_violation_is_reported() {
        for (text, score, is_breached, expected) in [
            ("short", 4, false, &["too_short"][..]),
            ("alice-alice-alice", 3, false, &["contains_login"]),
            ("Spring1970!", 3, false, &["predictable"]),
            (GOOD_PASSWORD, 2, false, &["too_weak"]),
            (GOOD_PASSWORD, 4, true, &["password_breached"]),
            ("short", 0, true, &["too_short", "too_weak", "password_breached"]),
        ] {
            assert_eq!(codes(text, score, is_breached).await, expected, "{text}");
        }
    }

    #[tokio::test]
    async fn a_password_is_not_reported_if_the_list_is_unavailable() {
        let (mut meter, mut breached) = (MockPasswordMeter::new(), MockBreachedPasswords::new());
        rating(4)(&mut meter);
        breached
            .expect_contains()
            .returning(|_, _| Err(PortError::Overloaded));
        let check = CheckPassword {
            meter: Arc::new(meter),
            breached: Arc::new(breached),
            clock: clock(),
            policy: PasswordPolicy::default(),
        };
        let failed = check.execute(password(GOOD_PASSWORD), None).await;
        assert!(matches!(failed, Err(PortError::Overloaded)));
    }
}
