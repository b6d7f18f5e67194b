//! Passwords: as presented, as accepted for a new account, and as kept.

use crate::login::Login;
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// The most code points of a new password.
pub const MAX_LENGTH: usize = 256;
/// The fewest code points that any policy may ask for (OWASP ASVS 5.0, V6.2.1).
pub const LOWEST_MIN_LENGTH: usize = 8;
/// How much of a password is rated. The rest can only make it stronger, and rating cost grows with length.
const RATED_LENGTH: usize = 72;

/// A password as somebody presented it: in NFC, so that two keyboards agree, and otherwise untouched.
///
/// Redacted in `Debug`, wiped when dropped.
#[derive(Clone, Debug)]
pub struct Password(SecretString);

impl Password {
    #[must_use]
    pub fn new(typed: String) -> Self {
        let typed = Zeroizing::new(typed);
        Self(SecretString::from(typed.nfc().collect::<String>()))
    }

    /// The normalised text. Only a hasher and the policy have business with it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

/// A password that the policy has accepted.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    #[must_use]
    pub fn into_password(self) -> Password {
        self.0
    }
}

/// What is asked of a new password (OWASP ASVS 5.0, V6.2).
#[derive(Clone, Copy, Debug)]
pub struct PasswordPolicy {
    /// The fewest code points.
    pub min_length: usize,
    /// The lowest zxcvbn score, 0 to 4, that is accepted.
    pub min_score: u8,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: LOWEST_MIN_LENGTH,
            min_score: 2,
        }
    }
}

/// Why a password was refused. Safe to show to the client: it never repeats the password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordRefused {
    #[error("a password has at least {min} characters")]
    TooShort { min: usize },
    #[error("a password has at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("a password has no control characters")]
    ControlCharacters,
    #[error("a password does not contain the login")]
    ContainsLogin,
    #[error("this password is guessed easily: {advice}")]
    TooWeak { advice: String },
}

impl PasswordPolicy {
    /// Accepts `password` for the account of `login`, as far as that is known, or says which rule it breaks first.
    ///
    /// # Errors
    /// The first broken rule, cheap rules first.
    pub fn accept(&self, password: Password, login: Option<&Login>) -> Result<NewPassword, PasswordRefused> {
        let text = password.expose();
        let length = text.chars().take(MAX_LENGTH + 1).count();
        if length < self.min_length {
            return Err(PasswordRefused::TooShort { min: self.min_length });
        }
        if length > MAX_LENGTH {
            return Err(PasswordRefused::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(PasswordRefused::ControlCharacters);
        }
        if login.is_some_and(|login| contains_login(text, login)) {
            return Err(PasswordRefused::ContainsLogin);
        }
        self.rate(text, login)?;
        Ok(NewPassword(password))
    }

    fn rate(&self, text: &str, login: Option<&Login>) -> Result<(), PasswordRefused> {
        let rated = Zeroizing::new(text.chars().take(RATED_LENGTH).collect::<String>());
        let typed = login.map_or("", Login::as_typed);
        let canonical = login.map_or("", |login| login.canonical().as_str());
        let entropy = zxcvbn::zxcvbn(&rated, &[typed, canonical, "authapi"]);
        if u8::from(entropy.score()) >= self.min_score {
            return Ok(());
        }
        let advice = entropy
            .feedback()
            .and_then(zxcvbn::feedback::Feedback::warning)
            .map_or_else(
                || "add another word or two".to_owned(),
                |warning| warning.to_string(),
            );
        Err(PasswordRefused::TooWeak { advice })
    }
}

fn contains_login(password: &str, login: &Login) -> bool {
    Zeroizing::new(password.to_lowercase()).contains(login.canonical().as_str())
}

impl PasswordRefused {
    /// The stable code that clients see.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::ControlCharacters => "forbidden_characters",
            Self::ContainsLogin => "contains_login",
            Self::TooWeak { .. } => "too_weak",
        }
    }
}

/// A password hash as kept: a PHC string. Not a secret like the password, and still nobody's business in a log.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    #[must_use]
    pub fn from_phc(phc: String) -> Self {
        Self(phc)
    }

    #[must_use]
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accept(password: &str) -> Result<NewPassword, PasswordRefused> {
        let login = Login::parse("Alice").expect("a login");
        PasswordPolicy::default().accept(Password::new(password.to_owned()), Some(&login))
    }

    #[test]
    fn good_passwords_of_every_kind_are_accepted_as_typed() {
        for password in [
            "correct horse battery staple",
            "  leading and trailing kept  ",
            "пароль-не-для-всех-42",
            "🦀🐙🪼🫠 four odd friends",
            "Tr0ub4dor&3x!",
        ] {
            let accepted = accept(password).expect("a good password");
            assert_eq!(accepted.into_password().expose(), password);
        }
    }

    #[test]
    fn bad_passwords_are_refused_by_rule() {
        for (password, code) in [
            ("", "too_short"),
            ("Sh0rt!x", "too_short"),
            ("tab\tinside it", "forbidden_characters"),
            ("nul\u{0}inside it", "forbidden_characters"),
            ("my-ALICE-password-9", "contains_login"),
            ("password", "too_weak"),
            ("12345678", "too_weak"),
            ("aaaaaaaaaaaaaaaa", "too_weak"),
        ] {
            assert_eq!(
                accept(password).expect_err("a bad password").code(),
                code,
                "{password:?}"
            );
        }
    }

    #[test]
    fn length_is_counted_in_code_points_and_nothing_is_cut() {
        let longest: String = (0..256)
            .filter_map(|step| char::from_u32(0x4e00 + step * 211 % 9973))
            .collect();
        assert_eq!(
            accept(&longest).expect("256 characters").into_password().expose(),
            longest
        );
        assert_eq!(
            accept(&format!("{longest}!")).expect_err("257").code(),
            "too_long"
        );
    }

    #[test]
    fn two_keyboards_agree_on_a_password() {
        assert_eq!(
            Password::new("cafe\u{301}".to_owned()).expose(),
            Password::new("café".to_owned()).expose()
        );
    }

    #[test]
    fn a_password_never_shows_in_debug_output() {
        let shown = format!("{:?}", accept("correct horse battery staple"));
        assert!(!shown.contains("horse"), "{shown}");
    }

    proptest! {
        #[test]
        fn judging_never_panics_and_never_repeats_the_password(typed in "\\PC{8,80}") {
            if let Err(refused) = accept(&typed) {
                prop_assert!(!refused.to_string().contains(&typed));
            }
        }

        #[test]
        fn normalising_twice_is_normalising_once(typed in any::<String>()) {
            let once = Password::new(typed);
            let twice = Password::new(once.expose().to_owned());
            prop_assert_eq!(twice.expose(), once.expose());
        }
    }
}
