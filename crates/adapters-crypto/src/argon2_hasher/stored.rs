use super::{Argon2Params, argon2_hash::Argon2Hash, not_a_stored_hash::NotAStoredHash};
use crate::foreign_hash::ForeignHash;
use domain::{password::PasswordHash, ports::ForeignHashRefused};

/// A hash as kept, taken apart.
pub enum StoredHash {
    Argon2(Argon2Hash),
    Foreign(ForeignHash),
}

impl StoredHash {
    /// # Errors
    /// When `hash` is in no form that can be checked against, or is out of bounds.
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

    /// The work of checking it, in KiB that argon2 passes over.
    pub fn work_kib(&self) -> u64 {
        match self {
            Self::Argon2(hash) => hash.params.work_kib(),
            Self::Foreign(hash) => hash.work_kib(),
        }
    }

    /// Whether a hash made now, with the parameters `in_force`, would be of the same kind and cost.
    pub fn is_as_if_fresh(&self, in_force: Argon2Params) -> bool {
        match self {
            Self::Argon2(hash) => hash.is_as_if_fresh(in_force),
            Self::Foreign(_) => false,
        }
    }
}
