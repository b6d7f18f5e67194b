use super::{HashTicket, PortError};
use crate::password::Password;
use async_trait::async_trait;

/// Passwords that are known from data breaches (NIST SP 800-63B-4, section 3.1.1.2; OWASP ASVS 5.0,
/// V6.2.12). A search may read a disk, so it runs on the threads that hash passwords.
#[cfg_attr(test, mockall::automock)]
#[async_trait]
pub trait BreachedPasswords: Send + Sync {
    /// Returns whether `password` is listed.
    ///
    /// A password MUST be found by its normalised text, and by [its text as
    /// typed](Password::typed_if_changed) if that differs. A password of which neither is listed
    /// MUST NOT be found. Case MUST matter. An accepted job MUST admit `ticket` ([`HashTicket`]).
    async fn contains(&self, password: Password, ticket: &mut HashTicket) -> Result<bool, PortError>;
}

/// Contains no password, for services without a list of breached passwords. It queues no job.
#[derive(Clone, Copy, Debug)]
pub struct NoBreachedPasswords;

#[async_trait]
impl BreachedPasswords for NoBreachedPasswords {
    async fn contains(&self, _: Password, _: &mut HashTicket) -> Result<bool, PortError> {
        Ok(false)
    }
}
