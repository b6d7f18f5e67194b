use super::fields::{WRONG_PARTS, base64, long_enough_salt, number, whole_hash};
use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use domain::ports::ForeignHashRefused;
use std::num::NonZeroU32;

/// Fewer are no hindrance to guessing (RFC 8018, section 4.2).
const MIN_ITERATIONS: u32 = 1_000;
/// The most work of a hash, in KiB as below: about a second of a core.
const MAX_WORK_KIB: u64 = 1_000_000;

/// The digest that the HMAC of PBKDF2 is built of.
#[derive(Clone, Copy)]
pub enum Digest {
    Sha1,
    Sha256,
    Sha512,
}

impl Digest {
    fn algorithm(self) -> Algorithm {
        match self {
            Self::Sha1 => PBKDF2_HMAC_SHA1,
            Self::Sha256 => PBKDF2_HMAC_SHA256,
            Self::Sha512 => PBKDF2_HMAC_SHA512,
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    /// See [`super::ForeignHash::work_kib`].
    fn iterations_of_one_kib(self) -> u64 {
        match self {
            Self::Sha1 | Self::Sha256 => 2,
            Self::Sha512 => 1,
        }
    }
}

/// A hash by PBKDF2 (RFC 8018, section 5.2).
pub struct Pbkdf2 {
    digest: Digest,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    /// `i=600000,l=32$<salt>$<hash>` as PHC strings have it, where `l` may be missing, or `600000$<salt>$<hash>` as passlib
    /// does; what follows `$pbkdf2-sha256$`.
    pub fn parse(digest: Digest, parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[parameters, salt, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        let (iterations, length) = match parameters.strip_prefix("i=") {
            None => (parameters, None),
            Some(parameters) => match parameters.split_once(",l=") {
                None => (parameters, None),
                Some((iterations, length)) => (iterations, Some(number(length)?)),
            },
        };
        let hash = base64(hash)?;
        if length.is_some_and(|length| usize::try_from(length) != Ok(hash.len())) {
            return Err(ForeignHashRefused::Damaged("its hash is not as long as it says"));
        }
        Self::new(digest, number(iterations)?, base64(salt)?, hash)
    }

    /// `600000$<salt>$<hash>`, what follows `pbkdf2_sha256$`. The salt is text, taken as it is.
    pub fn parse_django(digest: Digest, parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[iterations, salt, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        Self::new(digest, number(iterations)?, salt.into(), base64(hash)?)
    }

    fn new(
        digest: Digest,
        iterations: u32,
        salt: Vec<u8>,
        hash: Vec<u8>,
    ) -> Result<Self, ForeignHashRefused> {
        let too_few = ForeignHashRefused::TooWeak("PBKDF2 with fewer than 1,000 iterations");
        let hash = Self {
            digest,
            iterations: NonZeroU32::new(iterations)
                .filter(|iterations| iterations.get() >= MIN_ITERATIONS)
                .ok_or(too_few)?,
            salt: long_enough_salt(salt)?,
            hash: whole_hash(hash)?,
        };
        if hash.work_kib() > MAX_WORK_KIB {
            return Err(ForeignHashRefused::TooCostly("PBKDF2 with too many iterations"));
        }
        Ok(hash)
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        pbkdf2::verify(
            self.digest.algorithm(),
            self.iterations,
            &self.salt,
            password,
            &self.hash,
        )
        .is_ok()
    }

    /// A hash that is longer than the digest takes all iterations for each part of that length.
    pub fn work_kib(&self) -> u64 {
        let parts = self.hash.len().div_ceil(self.digest.length());
        let parts = u64::try_from(parts).expect("64 bytes have at most 4 parts");
        (u64::from(self.iterations.get()) * parts).div_ceil(self.digest.iterations_of_one_kib())
    }
}
