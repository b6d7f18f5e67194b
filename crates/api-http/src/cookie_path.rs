//! The path below which clients reach the service, for the paths of cookies.

use serde::{Deserialize, Serialize};
use std::{error::Error, fmt};

/// The path that a proxy removes before it passes requests on, such as `/auth`; empty for none. It
/// begins with a slash and does not end with one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CookiePathPrefix(String);

/// The error for a text that is not the prefix of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookiePathPrefixRefused;

impl CookiePathPrefix {
    /// Parses an empty prefix, or one of segments of unreserved or percent-encoded characters (RFC
    /// 3986, section 3.3), none of them `.` or `..`.
    ///
    /// # Errors
    /// If the text has another form.
    pub fn parse(text: &str) -> Result<Self, CookiePathPrefixRefused> {
        let is_prefix = match text.strip_prefix('/') {
            Some(segments) => segments.split('/').all(is_segment),
            None => text.is_empty(),
        };
        if is_prefix {
            Ok(Self(text.to_owned()))
        } else {
            Err(CookiePathPrefixRefused)
        }
    }

    /// Returns the path by which clients reach `path`, which begins with a slash.
    pub(crate) fn of(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

fn is_segment(segment: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'%');
    !matches!(segment, "" | "." | "..") && segment.bytes().all(is_allowed)
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
        f.write_str("not a path that begins with a slash and does not end with one")
    }
}

impl Error for CookiePathPrefixRefused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_begins_with_a_slash_and_does_not_end_with_one() {
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
        ] {
            assert_eq!(CookiePathPrefix::parse(text).is_ok(), accepted, "{text}");
        }
    }
}
