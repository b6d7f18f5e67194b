use super::{Argon2Params, argon2_hash::Argon2Hash, not_a_stored_hash::NotAStoredHash};
use crate::foreign_hash::ForeignHash;
use domain::{password::PasswordHash, ports::ForeignHashRefused};
use zeroize::Zeroizing;

/// A parsed stored hash.
pub enum StoredHash {
    Argon2(Argon2Hash),
    Foreign(ForeignHash),
}

impl StoredHash {
    /// Parses a stored hash.
    ///
    /// # Errors
    /// Returns [`NotAStoredHash`] if `hash` has an unsupported form or is out of bounds.
    pub fn parse(hash: &PasswordHash) -> Result<Self, NotAStoredHash> {
        let text = hash.as_phc();
        if text.starts_with("$argon2") {
            return Argon2Hash::parse(text).map(Self::Argon2);
        }
        match ForeignHash::parse(text) {
            Ok(hash) => Ok(Self::Foreign(hash)),
            Err(ForeignHashRefused::UnknownForm) => Err(NotAStoredHash::UnknownScheme),
            Err(refused) => Err(NotAStoredHash::Foreign(refused)),
        }
    }

    /// Returns the texts that may have been hashed for a password with these forms.
    pub fn inputs(&self, forms: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
        match self {
            Self::Argon2(_) => forms,
            Self::Foreign(hash) => hash.inputs(forms),
        }
    }

    /// Returns the work of verifying the hash, as the KiB that argon2 passes over.
    pub fn work_kib(&self) -> u64 {
        match self {
            Self::Argon2(hash) => hash.params.work_kib(),
            Self::Foreign(hash) => hash.work_kib(),
        }
    }

    /// Returns whether a new hash with the parameters `in_force` would have the same variant and
    /// cost.
    pub fn is_as_if_fresh(&self, in_force: Argon2Params) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_as_if_fresh(in_force),
            Self::Foreign(_) => false,
        }
    }
}
