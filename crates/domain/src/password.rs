//! Passwords: as presented, as accepted for a new account, and as stored.

mod words;

pub use words::ContextWords;

use crate::{login::Login, ports::Strength};
use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use std::fmt;
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Maximum number of code points in a new password.
pub const MAX_LENGTH: usize = 256;
/// The smallest minimum length that a policy may set (OWASP ASVS 5.0, V6.2.1).
pub const LOWEST_MIN_LENGTH: usize = 8;
/// Minimum number of letters and digits that a new password has besides predictable words, if it
/// contains any.
pub const MIN_UNPREDICTABLE: usize = 10;
/// Advice to show when a meter returns none.
const GENERAL_ADVICE: &str = "add another word or two";

/// A password as a client sent it, normalised to NFC so that it does not depend on the keyboard.
///
/// It is redacted in `Debug` and wiped when dropped.
#[derive(Clone, Debug)]
pub struct Password {
    normalised: SecretString,
    /// The text as typed, if normalisation changed it.
    typed: Option<SecretString>,
}

impl Password {
    /// Normalises the text to NFC and wipes the original.
    #[must_use]
    pub fn new(typed: String) -> Self {
        let typed = SecretString::from(typed);
        let normalised = SecretString::from(typed.expose_secret().nfc().collect::<String>());
        let is_changed = normalised.expose_secret() != typed.expose_secret();
        Self {
            normalised,
            typed: is_changed.then_some(typed),
        }
    }

    /// Returns the normalised text. Only hashers and the policy should read it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.normalised.expose_secret()
    }

    /// Returns the text as typed, if normalisation changed it.
    #[must_use]
    pub fn typed_if_changed(&self) -> Option<&str> {
        self.typed.as_ref().map(ExposeSecret::expose_secret)
    }

    /// Returns the texts that another system may have hashed when it was given this password: the
    /// normalised text first, then the text as typed, its NFKC and its NFD (Unicode Standard Annex
    /// 15). Each distinct text occurs once, so an ASCII password has one form.
    #[must_use]
    pub fn forms(&self) -> Vec<Zeroizing<String>> {
        let normalised = self.expose();
        let mut forms = vec![Zeroizing::new(normalised.to_owned())];
        if self.typed.is_none() && normalised.is_ascii() {
            return forms;
        }
        let others = [
            self.typed.as_ref().map(|typed| typed.expose_secret().to_owned()),
            Some(normalised.nfkc().collect()),
            Some(normalised.nfd().collect()),
        ];
        for form in others.into_iter().flatten().map(Zeroizing::new) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }
}

/// A password that satisfies every rule except strength, which is still to be
/// [rated](crate::ports::PasswordMeter).
#[derive(Clone, Debug)]
pub struct UnratedPassword {
    password: Password,
    known: Vec<String>,
}

impl UnratedPassword {
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.password
    }

    /// Returns [the words that an attacker would try first](PasswordPolicy::known_words).
    #[must_use]
    pub fn known(&self) -> &[String] {
        &self.known
    }
}

/// A password that the policy accepted.
#[derive(Clone, Debug)]
pub struct NewPassword(Password);

impl NewPassword {
    #[must_use]
    pub fn password(&self) -> &Password {
        &self.0
    }

    #[must_use]
    pub fn into_password(self) -> Password {
        self.0
    }
}

/// Requirements for new passwords (OWASP ASVS 5.0, V6.2).
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// Minimum number of code points.
    pub min_length: usize,
    /// Minimum [score](Strength), 0 to 4. With 0, strength is not checked, and predictable words
    /// are allowed.
    pub min_score: u8,
    /// Words that make a password of this service predictable.
    pub words: ContextWords,
}

impl Default for PasswordPolicy {
    fn default() -> Self {
        Self {
            min_length: LOWEST_MIN_LENGTH,
            min_score: 3,
            words: ContextWords::default(),
        }
    }
}

/// Why a password was rejected. It is safe to show to the client, because it never contains the
/// password.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PasswordRefused {
    #[error("a password must have at least {min} characters")]
    TooShort { min: usize },
    #[error("a password must have at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("a password must not contain control characters")]
    ControlCharacters,
    #[error("a password must not contain the login")]
    ContainsLogin,
    #[error(
        "a password with a name, a month, a season, a weekday, a year or a sequence that is easy to \
         guess must have at least {MIN_UNPREDICTABLE} other letters or digits"
    )]
    Predictable,
    #[error("the password is easy to guess: {advice}")]
    TooWeak { advice: String },
    #[error("the password is known from a data breach")]
    Breached,
}

impl PasswordPolicy {
    /// Checks `password` at the time `now` against the rules that need no rating. `login` is the
    /// login of the account, if it is known.
    ///
    /// # Errors
    /// Returns the first violation, but never [`PasswordRefused::TooWeak`] or
    /// [`PasswordRefused::Breached`].
    pub fn check(
        &self,
        password: Password,
        login: Option<&Login>,
        now: DateTime<Utc>,
    ) -> Result<UnratedPassword, PasswordRefused> {
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
        let known = self.known_words(login, now);
        if self.min_score > 0 && words::is_predictable(text, &known) {
            return Err(PasswordRefused::Predictable);
        }
        Ok(UnratedPassword { password, known })
    }

    /// Returns words that an attacker would try first, in lower case: the login and its parts, the
    /// [words of this service](ContextWords), the English names of months, seasons and weekdays,
    /// the years from ten before `now` to five after, and sequences such as `123`.
    #[must_use]
    pub fn known_words(&self, login: Option<&Login>, now: DateTime<Utc>) -> Vec<String> {
        let mut known = Vec::new();
        if let Some(login) = login {
            known.extend([login.as_typed(), login.canonical().as_str()].map(str::to_owned));
            known.extend(words::parts(login.canonical().as_str()));
        }
        known.extend(self.words.iter().map(str::to_owned));
        known.extend(words::of_any_user(now));
        known
    }

    /// Accepts a password that was rated as `strength`.
    ///
    /// # Errors
    /// Returns [`PasswordRefused::TooWeak`], with the advice of the rating.
    pub fn accept(
        &self,
        unrated: UnratedPassword,
        strength: &Strength,
    ) -> Result<NewPassword, PasswordRefused> {
        match self.too_weak(strength) {
            Some(refused) => Err(refused),
            None => Ok(NewPassword(unrated.password)),
        }
    }

    /// Returns [`PasswordRefused::TooWeak`] if `strength` is below the minimum.
    pub(crate) fn too_weak(&self, strength: &Strength) -> Option<PasswordRefused> {
        let advice = || {
            strength
                .advice
                .clone()
                .unwrap_or_else(|| GENERAL_ADVICE.to_owned())
        };
        (strength.score < self.min_score).then(|| PasswordRefused::TooWeak { advice: advice() })
    }
}

fn contains_login(password: &str, login: &Login) -> bool {
    Zeroizing::new(password.to_lowercase()).contains(login.canonical().as_str())
}

impl PasswordRefused {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::ControlCharacters => "forbidden_characters",
            Self::ContainsLogin => "contains_login",
            Self::Predictable => "predictable",
            Self::TooWeak { .. } => "too_weak",
            Self::Breached => "password_breached",
        }
    }
}

/// A stored password hash, which is a PHC string. It is redacted in `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a PHC string without parsing it.
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
    use crate::fixtures::now;
    use proptest::prelude::*;

    fn check(password: &str) -> Result<UnratedPassword, PasswordRefused> {
        let login = Login::parse("Alice").expect("the login is valid");
        PasswordPolicy::default().check(Password::new(password.to_owned()), Some(&login), now())
    }

    fn rated(score: u8, advice: Option<&str>) -> Result<NewPassword, PasswordRefused> {
        let strength = Strength {
            score,
            advice: advice.map(str::to_owned),
        };
        PasswordPolicy::default().accept(check("correct horse battery staple")?, &strength)
    }

    #[test]
    fn valid_passwords_are_accepted_unchanged() {
        for password in [
            "correct horse battery staple",
            "  leading and trailing kept  ",
            "пароль-не-для-всех-42",
            "🦀🐙🪼🫠 four odd friends",
            "Tr0ub4dor&3x!",
        ] {
            let unrated = check(password).expect("the password satisfies the policy");
            assert_eq!(unrated.password().expose(), password);
        }
    }

    #[test]
    fn invalid_passwords_are_rejected_with_their_violation() {
        for (password, code) in [
            ("", "too_short"),
            ("Sh0rt!x", "too_short"),
            ("tab\tinside it", "forbidden_characters"),
            ("nul\u{0}inside it", "forbidden_characters"),
            ("my-ALICE-password-9", "contains_login"),
        ] {
            assert_eq!(
                check(password).expect_err("the password violates a rule").code(),
                code,
                "{password:?}"
            );
        }
    }

    #[test]
    fn a_password_with_a_predictable_word_and_little_else_is_rejected_unless_strength_is_not_checked() {
        let refused = check("Spring1970!").expect_err("the password is predictable");
        assert_eq!(refused, PasswordRefused::Predictable);
        let unchecked = PasswordPolicy {
            min_score: 0,
            ..PasswordPolicy::default()
        };
        let accepted = unchecked.check(Password::new("Spring1970!".to_owned()), None, now());
        assert!(accepted.is_ok());
    }

    #[test]
    fn the_login_and_the_words_of_the_service_and_of_any_user_count_as_known_words() {
        let policy = PasswordPolicy {
            words: ContextWords::new(["auth.example.com"]),
            ..PasswordPolicy::default()
        };
        let login = Login::parse("Alice.Smith7").expect("the login is valid");
        let known = policy.known_words(Some(&login), now());
        let of_login = ["Alice.Smith7", "alice.smith7", "alice", "smith"];
        let of_service = ["auth", "auth.example.com", "authapi", "example"];
        assert_eq!(known[..8], [of_login, of_service].concat());
        for word in ["january", "may", "fall", "winter", "sunday", "1960", "1975"] {
            assert!(known.iter().any(|known| known == word), "{word}");
        }
        assert!(!known.iter().any(|known| known == "1959" || known == "1976"));
        assert_eq!(policy.known_words(None, now()), known[4..]);
    }

    #[test]
    fn a_password_below_the_minimum_score_is_rejected_with_the_advice() {
        let advised = rated(2, Some("this is a very common password")).expect_err("the password is too weak");
        assert_eq!(
            advised.to_string(),
            "the password is easy to guess: this is a very common password"
        );
        let unadvised = rated(0, None).expect_err("the password is too weak");
        assert_eq!(unadvised.code(), "too_weak");
        assert!(unadvised.to_string().contains(GENERAL_ADVICE));
        let accepted = rated(3, Some("never mind")).expect("the password is strong enough");
        assert_eq!(accepted.into_password().expose(), "correct horse battery staple");
    }

    #[test]
    fn length_counts_code_points_and_nothing_is_truncated() {
        let longest: String = (0..256)
            .filter_map(|step| char::from_u32(0x4e00 + step * 211 % 9973))
            .collect();
        assert_eq!(
            check(&longest)
                .expect("256 characters are accepted")
                .password()
                .expose(),
            longest
        );
        assert_eq!(
            check(&format!("{longest}!"))
                .expect_err("257 characters are rejected")
                .code(),
            "too_long"
        );
    }

    #[test]
    fn composed_and_decomposed_characters_are_the_same_password() {
        assert_eq!(
            Password::new("cafe\u{301}".to_owned()).expose(),
            Password::new("café".to_owned()).expose()
        );
    }

    #[test]
    fn a_password_has_each_of_its_distinct_forms_once_and_the_normalised_one_first() {
        for (typed, expected) in [
            ("plain ASCII", &["plain ASCII"][..]),
            ("пароль", &["пароль"]),
            ("caf\u{e9}", &["caf\u{e9}", "cafe\u{301}"]),
            ("cafe\u{301}", &["caf\u{e9}", "cafe\u{301}"]),
            ("\u{fb01}ne", &["\u{fb01}ne", "fine"]),
            (
                "\u{fb01}\u{e9}",
                &["\u{fb01}\u{e9}", "fi\u{e9}", "\u{fb01}e\u{301}"],
            ),
            (
                "\u{fb01}\u{e9}e\u{301}",
                &[
                    "\u{fb01}\u{e9}\u{e9}",
                    "\u{fb01}\u{e9}e\u{301}",
                    "fi\u{e9}\u{e9}",
                    "\u{fb01}e\u{301}e\u{301}",
                ],
            ),
            // The Kelvin sign has a canonical decomposition into ASCII.
            ("\u{212a}elvin", &["Kelvin", "\u{212a}elvin"]),
        ] {
            let forms = Password::new(typed.to_owned()).forms();
            let forms: Vec<&str> = forms.iter().map(|form| form.as_str()).collect();
            assert_eq!(forms, expected, "{typed:?}");
        }
    }

    #[test]
    fn debug_output_contains_no_password() {
        let unrated = check("correct horse battery staple");
        let shown = format!("{unrated:?} {:?}", rated(4, None));
        assert!(!shown.contains("horse"), "{shown}");
    }

    proptest! {
        #[test]
        fn checking_never_panics_and_never_echoes_the_password(typed in "\\PC{8,300}") {
            if let Err(refused) = check(&typed) {
                prop_assert!(!refused.to_string().contains(&typed));
            }
        }

        #[test]
        fn a_password_has_one_to_four_distinct_forms(typed in any::<String>()) {
            let password = Password::new(typed.clone());
            let forms = password.forms();
            prop_assert!((1..=4).contains(&forms.len()));
            prop_assert_eq!(forms[0].as_str(), password.expose());
            prop_assert!(forms.iter().any(|form| **form == typed));
            for (number, form) in forms.iter().enumerate() {
                prop_assert!(!forms[..number].contains(form));
            }
        }

        #[test]
        fn normalisation_is_idempotent(typed in any::<String>()) {
            let once = Password::new(typed);
            let twice = Password::new(once.expose().to_owned());
            prop_assert_eq!(twice.expose(), once.expose());
        }
    }
}
