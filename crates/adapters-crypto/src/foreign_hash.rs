//! Password hashes made by other systems with an algorithm other than argon2. They are parsed and
//! verified, never created.

mod bcrypt;
mod fields;
mod firebase;
mod pbkdf2;
mod scrypt;

use self::{
    bcrypt::Bcrypt,
    firebase::FirebaseScrypt,
    pbkdf2::{Digest, Pbkdf2},
    scrypt::Scrypt,
};
use domain::ports::ForeignHashRefused;
use zeroize::Zeroizing;

/// The error for digests that are not meant for passwords, repeated thousands of times or not.
pub const FAST_DIGEST: ForeignHashRefused =
    ForeignHashRefused::TooWeak("an unsalted or fast digest, which attackers can test by the billion");

/// A hash within bounds: verifying it takes at most 256 MiB and about a second on one core.
pub enum ForeignHash {
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    Firebase(FirebaseScrypt),
}

impl ForeignHash {
    /// Parses a hash that another system computed.
    ///
    /// # Errors
    /// Returns [`ForeignHashRefused`] if `text` has an unsupported form, is damaged or is out of
    /// bounds.
    pub fn parse(text: &str) -> Result<Self, ForeignHashRefused> {
        // Modular crypt format and PHC strings start with `$`; Django's hashes only contain it.
        let begins_with_sign = text.starts_with('$');
        let parts: Vec<_> = text.strip_prefix('$').unwrap_or(text).split('$').collect();
        let Some((&name, parts)) = parts.split_first() else {
            return Err(ForeignHashRefused::UnknownForm);
        };
        match (begins_with_sign, name) {
            (true, "2a" | "2b" | "2y") => Bcrypt::parse(parts).map(Self::Bcrypt),
            (false, "bcrypt_sha256") => Bcrypt::parse_django_sha256(parts).map(Self::Bcrypt),
            (true, "bcrypt-sha256") => Bcrypt::parse_passlib_sha256(parts).map(Self::Bcrypt),
            (true, "wp") => Bcrypt::parse_wordpress(parts).map(Self::Bcrypt),
            (true, "pbkdf2" | "pbkdf2-sha1") => Pbkdf2::parse(Digest::Sha1, parts).map(Self::Pbkdf2),
            (true, "pbkdf2-sha256") => Pbkdf2::parse(Digest::Sha256, parts).map(Self::Pbkdf2),
            (true, "pbkdf2-sha512") => Pbkdf2::parse(Digest::Sha512, parts).map(Self::Pbkdf2),
            (false, "pbkdf2_sha1") => Pbkdf2::parse_django(Digest::Sha1, parts).map(Self::Pbkdf2),
            (false, "pbkdf2_sha256") => Pbkdf2::parse_django(Digest::Sha256, parts).map(Self::Pbkdf2),
            (true, "scrypt") => Scrypt::parse(parts).map(Self::Scrypt),
            (false, "scrypt") => Scrypt::parse_django(parts).map(Self::Scrypt),
            (true, "firebase-scrypt") => FirebaseScrypt::parse(parts).map(Self::Firebase),
            (true, "P" | "H")
            | (
                false,
                "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512" | "unsalted_md5" | "unsalted_sha1",
            ) => Err(FAST_DIGEST),
            _ => Err(ForeignHashRefused::UnknownForm),
        }
    }

    /// Returns the texts that the other system may have hashed for a password with these forms.
    pub fn inputs(&self, forms: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
        match self {
            Self::Bcrypt(hash) => hash.inputs(forms),
            Self::Pbkdf2(_) | Self::Scrypt(_) | Self::Firebase(_) => forms,
        }
    }

    /// Returns whether this is the hash of `input`.
    pub fn is_of(&self, input: &[u8]) -> bool {
        match self {
            Self::Bcrypt(hash) => hash.is_of(input),
            Self::Pbkdf2(hash) => hash.is_of(input),
            Self::Scrypt(hash) => hash.is_of(input),
            Self::Firebase(hash) => hash.is_of(input),
        }
    }

    /// Returns the argon2 work, as the KiB that it passes over, that takes about as long as
    /// verifying this hash. The estimate is low rather than high, so that the work added to make up
    /// the difference is sufficient.
    pub fn work_kib(&self) -> u64 {
        match self {
            Self::Bcrypt(hash) => hash.work_kib(),
            Self::Pbkdf2(hash) => hash.work_kib(),
            Self::Scrypt(hash) => hash.work_kib(),
            Self::Firebase(hash) => hash.work_kib(),
        }
    }
}
