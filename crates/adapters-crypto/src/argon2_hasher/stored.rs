use super::{Argon2Params, CostRefused, argon2_hash::Argon2Hash};
use crate::foreign_hash::ForeignHash;
use argon2::password_hash::phc;
use domain::{password::PasswordHash, ports::ForeignHashRefused};
use thiserror::Error;

/// A hash as kept, taken apart.
pub enum StoredHash {
    Argon2(Argon2Hash),
    Foreign(ForeignHash),
}

/// Why a stored text cannot be checked against. Never shows the text.
#[derive(Debug, Error)]
pub enum NotAStoredHash {
    #[error("a stored password hash is no PHC string")]
    Unparsable(#[source] phc::Error),
    #[error("a stored password hash is of an unknown scheme")]
    UnknownScheme,
    #[error("a stored password hash lacks a part or has one too many")]
    Parts,
    #[error("a stored password hash has a cost that is out of bounds")]
    Cost(#[source] CostRefused),
    #[error("a stored password hash cannot be used")]
    Foreign(#[source] ForeignHashRefused),
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
