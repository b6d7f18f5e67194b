use super::fields::{WRONG_PARTS, base64, long_enough_salt, number, whole_hash};
use aws_lc_rs::pbkdf2::{self, Algorithm, PBKDF2_HMAC_SHA1, PBKDF2_HMAC_SHA256, PBKDF2_HMAC_SHA512};
use domain::ports::ForeignHashRefused;
use std::num::NonZeroU32;

/// The minimum number of iterations (RFC 8018, section 4.2). Hashes with fewer are too easy to
/// guess.
const MIN_ITERATIONS: u32 = 1_000;
/// The maximum work of a hash, as [`Pbkdf2::work_kib`]: about a second on one core.
const MAX_WORK_KIB: u64 = 1_000_000;

/// The digest of the HMAC in PBKDF2.
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

    /// The number of iterations that count as one KiB; see [`super::ForeignHash::work_kib`].
    fn iterations_of_one_kib(self) -> u64 {
        match self {
            Self::Sha1 | Self::Sha256 => 2,
            Self::Sha512 => 1,
        }
    }
}

/// A PBKDF2 hash (RFC 8018, section 5.2).
pub struct Pbkdf2 {
    digest: Digest,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Pbkdf2 {
    /// Parses the text after `$pbkdf2-sha256$`: `i=600000,l=32$<salt>$<hash>`, as in PHC strings,
    /// where `l` is optional, or `600000$<salt>$<hash>`, as passlib writes it.
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
            return Err(ForeignHashRefused::Damaged(
                "the hash does not have the stated length",
            ));
        }
        Self::new(digest, number(iterations)?, base64(salt)?, hash)
    }

    /// Parses `600000$<salt>$<hash>`, the text after `pbkdf2_sha256$`. The salt is used as text,
    /// without decoding.
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

    /// Returns the work of verifying the hash. If the hash is longer than the digest, all
    /// iterations are computed for each block of the digest's length.
    pub fn work_kib(&self) -> u64 {
        let parts = self.hash.len().div_ceil(self.digest.length());
        let parts = u64::try_from(parts).expect("a hash of 64 bytes has at most 4 blocks");
        (u64::from(self.iterations.get()) * parts).div_ceil(self.digest.iterations_of_one_kib())
    }
}
