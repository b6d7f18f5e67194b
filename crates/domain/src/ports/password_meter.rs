use super::{HashTicket, PortError};
use crate::password::Password;
use async_trait::async_trait;

/// How hard a password is to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// 0, guessed within a thousand attempts, to 4, not guessed within ten thousand million.
    pub score: u8,
    /// What would make the password stronger, in words for its user.
    pub advice: Option<String>,
}

/// Rates passwords. Some take long to rate, and a client may choose them for that: a meter works on threads of its own, and
/// returns [`PortError::Overloaded`] instead of queueing without bound.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordMeter: Send + Sync {
    /// Rates `password` by the number of guesses needed by an attacker who knows the words `known`.
    ///
    /// The score MUST be 0 to 4, and 0 or 1 for each of the words `known` themselves, in capitals or not. A password that
    /// cannot be rated MUST score 0. The advice MUST NOT repeat the password. A job that is accepted MUST admit `ticket`
    /// ([`HashTicket`]).
    async fn rate(
        &self,
        password: Password,
        known: Vec<String>,
        ticket: &mut HashTicket,
    ) -> Result<Strength, PortError>;
}
