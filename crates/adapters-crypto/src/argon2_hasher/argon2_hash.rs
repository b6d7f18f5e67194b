use super::{Argon2Params, HASH_LENGTH, not_a_stored_hash::NotAStoredHash};
use argon2::{
    ARGON2ID_IDENT, Algorithm, Params, Version,
    password_hash::phc::{self, Output, ParamsString, Salt},
};
use domain::password::PasswordHash;

/// A parsed argon2 hash. The salt has 8 to 48 bytes and the hash 10 to 64.
#[derive(Clone)]
pub struct Argon2Hash {
    pub algorithm: Algorithm,
    pub version: Version,
    pub params: Argon2Params,
    salt: Salt,
    hash: Output,
}

impl Argon2Hash {
    /// Creates a hash computed by this service.
    pub fn fresh(params: Argon2Params, salt: &[u8; super::SALT_LENGTH], hash: &[u8; HASH_LENGTH]) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            params,
            salt: Salt::new(salt).expect("a salt may have 16 bytes"),
            hash: Output::new(hash).expect("a hash may have 32 bytes"),
        }
    }

    /// Parses the PHC string of an argon2 hash.
    ///
    /// # Errors
    /// Returns [`NotAStoredHash`] unless `text` is argon2 with a salt, a hash and exactly its three
    /// parameters within bounds.
    pub fn parse(text: &str) -> Result<Self, NotAStoredHash> {
        let phc = phc::PasswordHash::new(text).map_err(NotAStoredHash::Unparsable)?;
        let algorithm =
            Algorithm::try_from(phc.algorithm.as_str()).map_err(|_| NotAStoredHash::UnknownScheme)?;
        // Version 0x10 was the first, and its hashes do not name it.
        let version = phc.version.map_or(Ok(Version::V0x10), Version::try_from);
        let version = version.map_err(|_| NotAStoredHash::UnknownScheme)?;
        let (Some(params), Some(salt), Some(hash)) = (parameters(&phc.params), phc.salt, phc.hash) else {
            return Err(NotAStoredHash::Parts);
        };
        params.check().map_err(NotAStoredHash::Cost)?;
        Ok(Self {
            algorithm,
            version,
            params,
            salt,
            hash,
        })
    }

    pub fn salt(&self) -> &[u8] {
        &self.salt
    }

    pub fn hash(&self) -> &[u8] {
        self.hash.as_bytes()
    }

    /// Returns whether a new hash with the parameters `in_force` would have the same variant and
    /// cost.
    pub fn is_as_if_fresh(&self, in_force: Argon2Params) -> bool {
        self.algorithm == Algorithm::Argon2id
            && self.version == Version::V0x13
            && self.params == in_force
            && self.hash().len() == HASH_LENGTH
    }

    pub fn to_phc(&self) -> PasswordHash {
        let Argon2Params {
            memory_kib,
            iterations,
            parallelism,
        } = self.params;
        let params = Params::new(memory_kib, iterations, parallelism, None)
            .ok()
            .and_then(|params| ParamsString::try_from(&params).ok())
            .expect("the parameters were checked");
        let phc = phc::PasswordHash {
            algorithm: ARGON2ID_IDENT,
            version: Some(self.version.into()),
            params,
            salt: Some(self.salt),
            hash: Some(self.hash),
        };
        PasswordHash::from_phc(phc.to_string())
    }
}

/// Parses `m`, `t` and `p`. Returns `None` unless each occurs once and no other parameter occurs.
fn parameters(params: &ParamsString) -> Option<Argon2Params> {
    if params.iter().count() != 3 {
        return None;
    }
    Some(Argon2Params {
        memory_kib: params.get_decimal("m")?,
        iterations: params.get_decimal("t")?,
        parallelism: params.get_decimal("p")?,
    })
}
