//! Logins: the text that a user types and the canonical form used to compare it.

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCaseMapped;
use std::{borrow::Cow, fmt};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript;

/// Minimum number of code points in a canonical login.
pub const MIN_LENGTH: usize = 3;
/// Maximum number of code points in a login, in NFC and in canonical form.
pub const MAX_LENGTH: usize = 64;
/// Maximum number of code points that are normalised, because the cost grows with them. NFC
/// composes at most four code points into one.
const MAX_TYPED_LENGTH: usize = 4 * MAX_LENGTH;

/// A login of 3 to 64 code points. It is stored as typed, in NFC, for display, and compared in
/// canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    typed: String,
    canonical: CanonicalLogin,
}

/// The canonical form of a login: PRECIS `UsernameCaseMapped` (RFC 8265, section 3.3), restricted
/// to one script (UTS 39, section 5.1). `Alice`, `alice` and full-width `Ａｌｉｃｅ` have the same
/// canonical form.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalLogin(String);

/// Why a login is invalid. It is safe to show to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginRefused {
    #[error("a login must have at least {MIN_LENGTH} characters")]
    TooShort,
    #[error("a login must have at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("a login must consist of letters, digits and visible punctuation")]
    Characters,
    #[error("a login must use a single script")]
    MixedScripts,
}

impl Login {
    /// Parses a login that a client sent.
    ///
    /// # Errors
    /// Returns the first rule that `typed` violates.
    pub fn parse(typed: &str) -> Result<Self, LoginRefused> {
        let typed = composed(typed)?;
        let canonical = canonical(&typed)?;
        Ok(Self {
            typed: typed.into_owned(),
            canonical,
        })
    }

    #[must_use]
    pub fn as_typed(&self) -> &str {
        &self.typed
    }

    #[must_use]
    pub fn canonical(&self) -> &CanonicalLogin {
        &self.canonical
    }
}

/// Normalises `typed` to NFC, and checks the length: the cost of the profile grows with it. PRECIS
/// checks characters before it normalises them, and refuses the conjoining letters of decomposed
/// Hangul.
fn composed(typed: &str) -> Result<Cow<'_, str>, LoginRefused> {
    if typed.chars().nth(MAX_TYPED_LENGTH).is_some() {
        return Err(LoginRefused::TooLong);
    }
    let composed = if typed.is_ascii() {
        Cow::Borrowed(typed)
    } else {
        Cow::Owned(typed.nfc().collect())
    };
    match composed.chars().nth(MAX_LENGTH) {
        Some(_) => Err(LoginRefused::TooLong),
        None => Ok(composed),
    }
}

fn canonical(typed: &str) -> Result<CanonicalLogin, LoginRefused> {
    if typed.chars().count() < MIN_LENGTH {
        return Err(LoginRefused::TooShort);
    }
    if typed.is_ascii() {
        canonical_of_ascii(typed)
    } else {
        canonical_of_any(typed)
    }
}

/// Returns what the full rules return for ASCII, but faster: a login is parsed for each user row
/// that is read.
fn canonical_of_ascii(typed: &str) -> Result<CanonicalLogin, LoginRefused> {
    if typed.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(CanonicalLogin(typed.to_ascii_lowercase()))
    } else {
        Err(LoginRefused::Characters)
    }
}

fn canonical_of_any(typed: &str) -> Result<CanonicalLogin, LoginRefused> {
    let mapped = UsernameCaseMapped::enforce(typed).map_err(|_| LoginRefused::Characters)?;
    // Applying the profile again must change nothing; otherwise a login would have two canonical
    // forms.
    let settled = UsernameCaseMapped::enforce(mapped.as_ref());
    if settled.as_ref() != Ok(&mapped) {
        return Err(LoginRefused::Characters);
    }
    match mapped.chars().count() {
        ..MIN_LENGTH => Err(LoginRefused::TooShort),
        MIN_LENGTH..=MAX_LENGTH if mapped.as_ref().is_single_script() => {
            Ok(CanonicalLogin(mapped.into_owned()))
        }
        MIN_LENGTH..=MAX_LENGTH => Err(LoginRefused::MixedScripts),
        _ => Err(LoginRefused::TooLong),
    }
}

impl CanonicalLogin {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CanonicalLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A prefix of a canonical login, for searching: 1 to 64 code points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPrefix(String);

impl LoginPrefix {
    /// Parses the start of a login in any spelling.
    ///
    /// # Errors
    /// Returns the reason that no login can start with `typed`.
    pub fn parse(typed: &str) -> Result<Self, LoginRefused> {
        let typed = composed(typed)?;
        if typed.is_empty() {
            return Err(LoginRefused::TooShort);
        }
        let mapped = UsernameCaseMapped::enforce(&*typed).map_err(|_| LoginRefused::Characters)?;
        Ok(Self(mapped.into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the exclusive upper bound, in code point order, of the logins with this prefix.
    #[must_use]
    pub fn end(&self) -> String {
        // U+10FFFF is a noncharacter, so no login contains it.
        format!("{}\u{10ffff}", self.0)
    }
}

impl LoginRefused {
    /// Returns the stable error code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::TooShort => "too_short",
            Self::TooLong => "too_long",
            Self::Characters => "forbidden_characters",
            Self::MixedScripts => "mixed_scripts",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical_of(typed: &str) -> String {
        Login::parse(typed)
            .expect("the login is valid")
            .canonical()
            .to_string()
    }

    #[test]
    fn confusable_spellings_are_one_login() {
        for (typed, canonical) in [
            ("alice", "alice"),
            ("Alice", "alice"),
            ("Ａｌｉｃｅ", "alice"),
            ("cafe\u{301}", "café"),
            ("ÉCOLE", "école"),
            ("ann@example.com", "ann@example.com"),
            ("иван", "иван"),
            ("日本太郎", "日本太郎"),
        ] {
            assert_eq!(canonical_of(typed), canonical, "{typed}");
        }
    }

    #[test]
    fn decomposed_and_composed_spellings_are_one_login() {
        for composed in [
            "한글이",
            "간나다라",
            "école",
            "ΐδιος",
            "Việtnam",
            "がくせい",
            "йцукен",
        ] {
            let decomposed: String = composed.nfd().collect();
            assert_ne!(decomposed, composed);
            assert_eq!(Login::parse(&decomposed), Login::parse(composed), "{composed}");
            assert!(Login::parse(&decomposed).is_ok(), "{composed}");
            assert_eq!(
                LoginPrefix::parse(&decomposed),
                LoginPrefix::parse(composed),
                "{composed}"
            );
        }
        let longest = "간".repeat(MAX_LENGTH);
        let decomposed: String = longest.nfd().collect();
        assert_eq!(Login::parse(&decomposed), Login::parse(&longest));
        assert!(Login::parse(&decomposed).is_ok());
        let too_long: String = format!("{longest}간").nfd().collect();
        assert_eq!(Login::parse(&too_long), Err(LoginRefused::TooLong));
    }

    #[test]
    fn invalid_logins_are_rejected_with_their_violation() {
        for (typed, refused) in [
            ("", LoginRefused::TooShort),
            ("ab", LoginRefused::TooShort),
            ("has space", LoginRefused::Characters),
            (" alice", LoginRefused::Characters),
            ("ali\u{0}ce", LoginRefused::Characters),
            ("ali\u{200b}ce", LoginRefused::Characters),
            ("ali\u{202e}ce", LoginRefused::Characters),
            ("smile😀", LoginRefused::Characters),
            // Characters whose mapping is not stable, or is empty.
            ("aa=\u{338}", LoginRefused::Characters),
            ("\u{13a0}aa", LoginRefused::Characters),
            ("pаypal", LoginRefused::MixedScripts),
            ("ivанov", LoginRefused::MixedScripts),
        ] {
            assert_eq!(Login::parse(typed), Err(refused), "{typed:?}");
        }
    }

    #[test]
    fn length_is_counted_in_code_points() {
        assert!(Login::parse(&"я".repeat(64)).is_ok());
        assert_eq!(Login::parse(&"я".repeat(65)), Err(LoginRefused::TooLong));
        assert_eq!(Login::parse(&"a".repeat(1_000_000)), Err(LoginRefused::TooLong));
    }

    #[test]
    fn the_fast_path_agrees_with_the_rules_for_each_ascii_character() {
        for character in '\0'..='\x7f' {
            for typed in [
                format!("{character}ab"),
                format!("a{character}b"),
                format!("ab{character}"),
            ] {
                assert_eq!(canonical_of_ascii(&typed), canonical_of_any(&typed), "{typed:?}");
            }
        }
    }

    proptest! {
        #[test]
        fn the_fast_path_agrees_with_the_rules_for_ascii_logins(typed in "[\\x00-\\x7f]{3,64}") {
            prop_assert_eq!(canonical_of_ascii(&typed), canonical_of_any(&typed));
        }

        #[test]
        fn the_fast_path_agrees_with_the_rules_for_visible_ascii(typed in "[!-~]{3,64}") {
            prop_assert_eq!(canonical_of_ascii(&typed), canonical_of_any(&typed));
        }

        #[test]
        fn parsing_never_panics_and_keeps_the_typed_text_in_nfc(typed in any::<String>()) {
            if let Ok(login) = Login::parse(&typed) {
                prop_assert_eq!(login.as_typed(), typed.nfc().collect::<String>());
            }
        }

        #[test]
        fn a_login_does_not_depend_on_its_normalisation(typed in "\\PC{3,64}") {
            let decomposed: String = typed.nfd().collect();
            let composed: String = typed.nfc().collect();
            prop_assert_eq!(Login::parse(&decomposed), Login::parse(&composed));
            prop_assert_eq!(Login::parse(&typed), Login::parse(&composed));
        }

        #[test]
        fn canonicalisation_is_idempotent(typed in "\\PC{1,64}") {
            if let Ok(login) = Login::parse(&typed) {
                let again = Login::parse(login.canonical().as_str());
                prop_assert_eq!(again.as_ref().map(Login::canonical), Ok(login.canonical()));
            }
        }

        #[test]
        fn ascii_logins_ignore_case(typed in "[a-zA-Z0-9._@-]{3,64}") {
            prop_assert_eq!(canonical_of(&typed), typed.to_ascii_lowercase());
        }
    }
}
