//! Password hashes that other systems made, with something else than argon2: taken apart and checked, never made.

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
use domain::{password::Password, ports::ForeignHashRefused};

/// A hash that is within bounds: checking a password against it takes at most 256 MiB, and about a second of a core.
pub enum ForeignHash {
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
    Firebase(FirebaseScrypt),
}

impl ForeignHash {
    /// # Errors
    /// When `text` is in no form that is known here, is damaged, or is out of bounds.
    pub fn parse(text: &str) -> Result<Self, ForeignHashRefused> {
        // Modular crypt format and PHC strings begin with the sign that Django's hashes have only between their parts.
        let begins_with_sign = text.starts_with('$');
        let parts: Vec<_> = text.strip_prefix('$').unwrap_or(text).split('$').collect();
        let Some((&name, parts)) = parts.split_first() else {
            return Err(ForeignHashRefused::UnknownForm);
        };
        match (begins_with_sign, name) {
            (true, "2a" | "2b" | "2y") => Bcrypt::parse(parts).map(Self::Bcrypt),
            (false, "bcrypt_sha256") => Bcrypt::parse_django_sha256(parts).map(Self::Bcrypt),
            (true, "pbkdf2" | "pbkdf2-sha1") => Pbkdf2::parse(Digest::Sha1, parts).map(Self::Pbkdf2),
            (true, "pbkdf2-sha256") => Pbkdf2::parse(Digest::Sha256, parts).map(Self::Pbkdf2),
            (true, "pbkdf2-sha512") => Pbkdf2::parse(Digest::Sha512, parts).map(Self::Pbkdf2),
            (false, "pbkdf2_sha1") => Pbkdf2::parse_django(Digest::Sha1, parts).map(Self::Pbkdf2),
            (false, "pbkdf2_sha256") => Pbkdf2::parse_django(Digest::Sha256, parts).map(Self::Pbkdf2),
            (true, "scrypt") => Scrypt::parse(parts).map(Self::Scrypt),
            (false, "scrypt") => Scrypt::parse_django(parts).map(Self::Scrypt),
            (true, "firebase-scrypt") => FirebaseScrypt::parse(parts).map(Self::Firebase),
            (false, "md5" | "sha1" | "unsalted_md5" | "unsalted_sha1") => Err(ForeignHashRefused::TooWeak(
                "it is a digest, guessed at by the billion",
            )),
            _ => Err(ForeignHashRefused::UnknownForm),
        }
    }

    /// Whether it is the hash of `password`.
    pub fn is_of(&self, password: &Password) -> bool {
        let password = password.expose().as_bytes();
        match self {
            Self::Bcrypt(hash) => hash.is_of(password),
            Self::Pbkdf2(hash) => hash.is_of(password),
            Self::Scrypt(hash) => hash.is_of(password),
            Self::Firebase(hash) => hash.is_of(password),
        }
    }

    /// About how much argon2, in KiB that it passes over, takes as long as checking a password against this hash. Rather
    /// too little than too much, so that what is made up for is enough.
    pub fn work_kib(&self) -> u64 {
        match self {
            Self::Bcrypt(hash) => hash.work_kib(),
            Self::Pbkdf2(hash) => hash.work_kib(),
            Self::Scrypt(hash) => hash.work_kib(),
            Self::Firebase(hash) => hash.work_kib(),
        }
    }
}
