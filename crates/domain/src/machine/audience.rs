use std::fmt;
use thiserror::Error;

/// The maximum number of characters in an audience.
const MAX_LENGTH: usize = 200;

/// The audience of a resource server, the `aud` of the tokens that are meant for it (RFC 7519,
/// section 4.1.3): 1 to 200 visible ASCII characters without `"` and `\`, such as `orders` or
/// `https://orders.example.com`. It is compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience(String);

/// The error for a text that cannot be an audience.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("an audience must have 1 to {MAX_LENGTH} visible ASCII characters without `\"` and `\\`")]
pub struct NotAnAudience;

impl Audience {
    /// Parses an audience.
    ///
    /// # Errors
    /// Returns [`NotAnAudience`] if `text` does not have the form of an [`Audience`].
    pub fn parse(text: &str) -> Result<Self, NotAnAudience> {
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        if (1..=MAX_LENGTH).contains(&text.len()) && text.bytes().all(is_allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(NotAnAudience)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_audience_has_up_to_200_visible_ascii_characters_except_quotes_and_backslashes() {
        let longest = "a".repeat(200);
        for text in [
            "a",
            "orders",
            "https://orders.example.com/v1?x=1",
            "urn:x:y",
            &longest,
        ] {
            assert_eq!(Audience::parse(text).map(|it| it.0), Ok(text.to_owned()));
        }
        let too_long = "a".repeat(201);
        for text in ["", "a b", "a\t", "a\"", "a\\", "é", "\u{7f}", &too_long] {
            assert_eq!(Audience::parse(text), Err(NotAnAudience), "{text:?}");
        }
    }
}
