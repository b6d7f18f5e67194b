use async_trait::async_trait;
use domain::{
    password::{Password, PasswordHash},
    ports::{HashTicket, PasswordHasher, PortError, Verification},
};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Stores passwords unhashed, as `plain$<salt>$<password>`, with salts counted from one. It is
/// fast, and for tests only.
pub struct PlainHasher {
    next_salt: AtomicU64,
    /// Hashes with lower salts are outdated.
    oldest_salt: AtomicU64,
    is_overloaded: AtomicBool,
}

impl Default for PlainHasher {
    fn default() -> Self {
        Self {
            next_salt: AtomicU64::new(1),
            oldest_salt: AtomicU64::new(0),
            is_overloaded: AtomicBool::new(false),
        }
    }
}

impl PlainHasher {
    /// Sets whether all methods return [`PortError::Overloaded`].
    pub fn set_overloaded(&self, is_overloaded: bool) {
        self.is_overloaded.store(is_overloaded, Ordering::SeqCst);
    }

    /// Makes every existing hash outdated, as if the parameters had changed.
    pub fn outdate(&self) {
        let next = self.next_salt.load(Ordering::SeqCst);
        self.oldest_salt.store(next, Ordering::SeqCst);
    }

    fn take_work(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        if self.is_overloaded.load(Ordering::SeqCst) {
            return Err(PortError::Overloaded);
        }
        ticket.admit();
        Ok(())
    }
}

#[async_trait]
impl PasswordHasher for PlainHasher {
    fn reserve(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        self.take_work(ticket)
    }

    fn settle(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        self.take_work(ticket)
    }

    async fn hash(&self, password: Password, ticket: &mut HashTicket) -> Result<PasswordHash, PortError> {
        self.take_work(ticket)?;
        let salt = self.next_salt.fetch_add(1, Ordering::SeqCst);
        let text = password.expose();
        Ok(PasswordHash::from_phc(format!("plain${salt}${text}")))
    }

    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        ticket: &mut HashTicket,
    ) -> Result<Verification, PortError> {
        self.take_work(ticket)?;
        let Some((salt, text)) = hash.as_ref().and_then(parse) else {
            return Ok(Verification::Wrong);
        };
        Ok(if text != password.expose() {
            Verification::Wrong
        } else if salt < self.oldest_salt.load(Ordering::SeqCst) {
            Verification::RightButOutdated
        } else {
            Verification::Right
        })
    }
}

fn parse(hash: &PasswordHash) -> Option<(u64, &str)> {
    let (salt, text) = hash.as_phc().strip_prefix("plain$")?.split_once('$')?;
    Some((salt.parse().ok()?, text))
}
