//! Logins: what a user types, and the canonical form in which logins are compared.

use precis_core::profile::PrecisFastInvocation;
use precis_profiles::UsernameCaseMapped;
use std::fmt;
use thiserror::Error;
use unicode_security::MixedScript;

/// The fewest code points of a login, in its canonical form.
pub const MIN_LENGTH: usize = 3;
/// The most code points of a login, as typed and in its canonical form.
pub const MAX_LENGTH: usize = 64;

/// A login of 3 to 64 code points: kept as typed for display, compared in its canonical form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    typed: String,
    canonical: CanonicalLogin,
}

/// The form in which logins are compared: PRECIS `UsernameCaseMapped` (RFC 8265, section 3.3), one script only
/// (UTS 39, section 5.1). `Alice`, `alice` and full-width `Ａｌｉｃｅ` have the same one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalLogin(String);

/// Why a text is no login. Safe to show to the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LoginRefused {
    #[error("a login has at least {MIN_LENGTH} characters")]
    TooShort,
    #[error("a login has at most {MAX_LENGTH} characters")]
    TooLong,
    #[error("a login is made of letters, digits and visible punctuation, without spaces")]
    Characters,
    #[error("a login is written in one script, so that it cannot be mistaken for another")]
    MixedScripts,
}

impl Login {
    /// Parses what a client sent.
    ///
    /// # Errors
    /// The first rule that `typed` breaks.
    pub fn parse(typed: &str) -> Result<Self, LoginRefused> {
        // Before anything else: the profile's cost grows with the text.
        if typed.chars().nth(MAX_LENGTH).is_some() {
            return Err(LoginRefused::TooLong);
        }
        let canonical = canonical(typed)?;
        Ok(Self {
            typed: typed.to_owned(),
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

/// What the rules come to for most logins, at a small part of their cost: a login is parsed with each row of a user that is
/// read.
fn canonical_of_ascii(typed: &str) -> Result<CanonicalLogin, LoginRefused> {
    if typed.bytes().all(|byte| byte.is_ascii_graphic()) {
        Ok(CanonicalLogin(typed.to_ascii_lowercase()))
    } else {
        Err(LoginRefused::Characters)
    }
}

fn canonical_of_any(typed: &str) -> Result<CanonicalLogin, LoginRefused> {
    let mapped = UsernameCaseMapped::enforce(typed).map_err(|_| LoginRefused::Characters)?;
    // One more pass must change nothing, or one login would have two canonical forms.
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

/// The beginning of a canonical login, to search by: 1 to 64 code points.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginPrefix(String);

impl LoginPrefix {
    /// Parses what a client typed so far, in any spelling.
    ///
    /// # Errors
    /// Why no login begins with `typed`.
    pub fn parse(typed: &str) -> Result<Self, LoginRefused> {
        if typed.chars().nth(MAX_LENGTH).is_some() {
            return Err(LoginRefused::TooLong);
        }
        if typed.is_empty() {
            return Err(LoginRefused::TooShort);
        }
        let mapped = UsernameCaseMapped::enforce(typed).map_err(|_| LoginRefused::Characters)?;
        Ok(Self(mapped.into_owned()))
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text behind every login with this prefix, in the order of code points, and before every later login without it.
    #[must_use]
    pub fn end(&self) -> String {
        // No login has this code point: it is assigned to no character, for ever.
        format!("{}\u{10ffff}", self.0)
    }
}

impl LoginRefused {
    /// The stable code that clients see.
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
        Login::parse(typed).expect("a login").canonical().to_string()
    }

    #[test]
    fn logins_that_look_alike_are_one_login() {
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
    fn texts_that_are_no_logins_are_refused_by_rule() {
        for (typed, refused) in [
            ("", LoginRefused::TooShort),
            ("ab", LoginRefused::TooShort),
            ("has space", LoginRefused::Characters),
            (" alice", LoginRefused::Characters),
            ("ali\u{0}ce", LoginRefused::Characters),
            ("ali\u{200b}ce", LoginRefused::Characters),
            ("ali\u{202e}ce", LoginRefused::Characters),
            ("smile😀", LoginRefused::Characters),
            // What these map to maps to something else again, or to nothing.
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
    fn each_ascii_character_is_as_the_rules_have_it() {
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
        fn ascii_logins_are_as_the_rules_have_them(typed in "[\\x00-\\x7f]{3,64}") {
            prop_assert_eq!(canonical_of_ascii(&typed), canonical_of_any(&typed));
        }

        #[test]
        fn ascii_logins_of_visible_characters_too(typed in "[!-~]{3,64}") {
            prop_assert_eq!(canonical_of_ascii(&typed), canonical_of_any(&typed));
        }

        #[test]
        fn parsing_never_panics_and_keeps_what_was_typed(typed in any::<String>()) {
            if let Ok(login) = Login::parse(&typed) {
                prop_assert_eq!(login.as_typed(), typed.as_str());
            }
        }

        #[test]
        fn the_canonical_form_is_its_own_canonical_form(typed in "\\PC{1,64}") {
            if let Ok(login) = Login::parse(&typed) {
                let again = Login::parse(login.canonical().as_str());
                prop_assert_eq!(again.as_ref().map(Login::canonical), Ok(login.canonical()));
            }
        }

        #[test]
        fn case_does_not_tell_ascii_logins_apart(typed in "[a-zA-Z0-9._@-]{3,64}") {
            prop_assert_eq!(canonical_of(&typed), typed.to_ascii_lowercase());
        }
    }
}
