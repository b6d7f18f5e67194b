use std::fmt;
use thiserror::Error;

/// The maximum number of characters in a machine's name.
const MAX_LENGTH: usize = 64;

/// The name of a machine: 1 to 64 of `a-z`, `0-9`, `.`, `_` and `-`, starting with a letter. It is
/// for people; the machine's id identifies it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineName(String);

/// The error for a text that cannot be the name of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "a machine's name must have 1 to {MAX_LENGTH} lower-case letters, digits, `.`, `_` and `-`, and start with a letter"
)]
pub struct NotAMachineName;

impl MachineName {
    /// Parses the name of a machine.
    ///
    /// # Errors
    /// Returns [`NotAMachineName`] if `name` does not have the form of a [`MachineName`].
    pub fn parse(name: &str) -> Result<Self, NotAMachineName> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-');
        let is_name = name.len() <= MAX_LENGTH
            && name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.bytes().all(is_allowed);
        if is_name {
            Ok(Self(name.to_owned()))
        } else {
            Err(NotAMachineName)
        }
    }

    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MachineName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_up_to_64_lower_case_letters_digits_and_signs_after_a_letter() {
        let longest = "a".repeat(64);
        for name in ["a", "orders", "billing-job_2.eu", &longest] {
            assert_eq!(MachineName::parse(name).map(|it| it.0), Ok(name.to_owned()));
        }
        let too_long = "a".repeat(65);
        for text in [
            "", "1a", "-a", ".a", "Orders", "a b", "a:b", "ä", "a\n", "a/b", &too_long,
        ] {
            assert_eq!(MachineName::parse(text), Err(NotAMachineName), "{text:?}");
        }
    }
}
