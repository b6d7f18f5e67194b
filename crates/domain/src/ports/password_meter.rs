use super::{HashTicket, PortError};
use crate::password::Password;
use async_trait::async_trait;

/// An estimate of how hard a password is to guess.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strength {
    /// From 0 (guessed within a thousand attempts) to 4 (not guessed within ten billion).
    pub score: u8,
    /// Advice for the user on how to make the password stronger.
    pub advice: Option<String>,
}

/// Rates passwords. Rating some passwords takes long, and an attacker may choose such passwords. A
/// meter therefore runs on its own threads and returns [`PortError::Overloaded`] instead of
/// queueing without bound.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait PasswordMeter: Send + Sync {
    /// Rates `password` by the number of guesses needed by an attacker who knows the words `known`.
    ///
    /// The score MUST be 0 to 4, and 0 or 1 for each of the words `known` in any case. A password
    /// that cannot be rated MUST score 0. The advice MUST NOT repeat the password. An accepted job
    /// MUST admit `ticket` ([`HashTicket`]).
    async fn rate(
        &self,
        password: Password,
        known: Vec<String>,
        ticket: &mut HashTicket,
    ) -> Result<Strength, PortError>;
}
