use async_trait::async_trait;
use domain::{
    password::Password,
    ports::{BreachedPasswords, HashTicket, PortError},
};
use std::collections::HashSet;

/// A list of breached passwords in memory, in plain text. For tests only.
#[derive(Clone, Debug, Default)]
pub struct MemoryBreachedPasswords(HashSet<String>);

impl MemoryBreachedPasswords {
    /// Lists `passwords`.
    #[must_use]
    pub fn new(passwords: &[&str]) -> Self {
        Self(passwords.iter().map(|&text| text.to_owned()).collect())
    }
}

#[async_trait]
impl BreachedPasswords for MemoryBreachedPasswords {
    async fn contains(&self, password: Password, ticket: &mut HashTicket) -> Result<bool, PortError> {
        ticket.admit();
        let typed = password.typed_if_changed();
        Ok(self.0.contains(password.expose()) || typed.is_some_and(|typed| self.0.contains(typed)))
    }
}
