//! The path below which clients reach the service, and the cookies for paths below it.

use actix_web::{
    cookie::{Cookie, SameSite, time::Duration},
    http::header::HeaderValue,
};
use serde::{Deserialize, Serialize};
use std::{error::Error, fmt};

/// Maximum length of a prefix. Browsers ignore the path of a cookie beyond 1,024 bytes
/// (RFC 6265bis, section 5.6).
const MAX_LENGTH: usize = 200;

/// The path that a proxy removes before it passes requests on, such as `/auth`; empty for none. It
/// begins with a slash and does not end with one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CookiePathPrefix(String);

/// The error for a text that is not the prefix of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookiePathPrefixRefused;

impl CookiePathPrefix {
    /// Parses an empty prefix, or one of at most 200 characters, in segments of unreserved or
    /// percent-encoded characters (RFC 3986, section 3.3). No segment is `.` or `..`, and neither
    /// `.` nor `/` is percent-encoded, because proxies and browsers may decode them.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn parse(text: &str) -> Result<Self, CookiePathPrefixRefused> {
        let is_prefix = match text.strip_prefix('/') {
            Some(segments) => segments.split('/').all(is_segment),
            None => text.is_empty(),
        };
        if is_prefix && text.len() <= MAX_LENGTH {
            Ok(Self(text.to_owned()))
        } else {
            Err(CookiePathPrefixRefused)
        }
    }

    /// Returns the prefix, which is empty for none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the value of `Set-Cookie` for a cookie that scripts cannot read. Browsers send it
    /// only to `path`, over TLS, and in requests from pages of the same site (RFC 6265bis, section
    /// 4.1.2). `value` is a token or empty, and `path` begins with a slash. `Debug` redacts the
    /// result.
    pub(crate) fn set_cookie(
        &self,
        name: &'static str,
        value: &str,
        path: &str,
        max_age: Duration,
    ) -> HeaderValue {
        let cookie = Cookie::build(name, value)
            .path(self.of(path))
            .max_age(max_age)
            .secure(true)
            .http_only(true)
            .same_site(SameSite::Strict)
            .finish();
        let mut header = HeaderValue::from_str(&cookie.to_string())
            .expect("a token and a path prefix are valid in a header");
        header.set_sensitive(true);
        header
    }

    /// Returns the path by which clients reach `path`.
    fn of(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%');
    let is_written_well = segment.bytes().all(is_allowed) && segment.split('%').skip(1).all(is_encoding);
    !matches!(segment, "" | "." | "..") && is_written_well
}

/// Returns whether `text`, which follows a `%`, begins with two digits of another character than
/// `.` and `/`.
fn is_encoding(text: &str) -> bool {
    let digits = text
        .get(..2)
        .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
    let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
    byte.is_some_and(|byte| !matches!(byte, b'.' | b'/'))
}

impl TryFrom<String> for CookiePathPrefix {
    type Error = CookiePathPrefixRefused;

    fn try_from(text: String) -> Result<Self, CookiePathPrefixRefused> {
        Self::parse(&text)
    }
}

impl From<CookiePathPrefix> for String {
    fn from(prefix: CookiePathPrefix) -> Self {
        prefix.0
    }
}

impl fmt::Display for CookiePathPrefixRefused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a path of at most 200 characters that begins with a slash and does not end with one")
    }
}

impl Error for CookiePathPrefixRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_begins_with_a_slash_and_does_not_end_with_one() {
        let longest = format!("/{}", "a".repeat(199));
        for (text, accepted) in [
            ("", true),
            ("/auth", true),
            ("/services/auth-1.0_b~c", true),
            ("/caf%C3%A9", true),
            ("/", false),
            ("auth", false),
            ("/auth/", false),
            ("//auth", false),
            ("/auth//x", false),
            ("/../auth", false),
            ("/auth/.", false),
            ("/auth; Domain=example.com", false),
            ("/a b", false),
            ("/a?b", false),
            ("/café", false),
            ("/a%", false),
            ("/a%2", false),
            ("/a%2/b", false),
            ("/a%%41", false),
            ("/a%zz", false),
            ("/a%2e", false),
            ("/%2E%2e/a", false),
            ("/a%2fb", false),
            ("/a%2Fb", false),
            (&longest, true),
            (&format!("{longest}a"), false),
        ] {
            assert_eq!(CookiePathPrefix::parse(text).is_ok(), accepted, "{text}");
        }
    }

    #[test]
    fn debug_output_does_not_contain_the_value_of_a_cookie() {
        let header = CookiePathPrefix::default().set_cookie("name", "token", "/path", Duration::days(1));
        assert!(header.to_str().is_ok_and(|text| text.starts_with("name=token; ")));
        assert_eq!(format!("{header:?}"), "Sensitive");
    }
}
