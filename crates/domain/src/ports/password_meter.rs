use super::PortError;
use crate::password::Password;
use async_trait::async_trait;

/// How hard a password is to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0, which falls to the first thousand guesses, to 4, which withstands ten thousand million.
    pub score: u8,
    /// What would make it stronger, in words for whoever chose it.
    pub advice: Option<String>,
}

/// Rates passwords. Some take long to rate, and somebody may choose them for that: a meter does its work elsewhere than on
/// the thread that asks, and answers [`PortError::Overloaded`] rather than queue without bound.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordMeter: Send + Sync {
    /// Rates `password` by how soon somebody guesses it who knows the words `known`.
    ///
    /// The score MUST be 0 to 4, and 0 or 1 for each of the words `known` themselves, in capitals or not. A password that
    /// cannot be rated MUST score 0. The advice MUST NOT repeat the password.
    async fn rate(&self, password: Password, known: Vec<String>) -> Result<Strength, PortError>;
}
