use super::fields::{WRONG_PARTS, number};
use ::bcrypt::bcrypt;
use aws_lc_rs::{constant_time, digest};
use base64::{
    Engine,
    alphabet::BCRYPT,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use domain::ports::ForeignHashRefused;
use std::fmt::Write;
use zeroize::Zeroizing;

const MIN_COST: u32 = 4;
/// The maximum cost: about a second on one core.
const MAX_COST: u32 = 14;
/// The number of base64 digits of the 16-byte salt. The digits of the hash follow without a
/// separator.
const SALT_DIGITS: usize = 22;
/// The number of stored hash bytes; bcrypt computes one more.
const HASH_LENGTH: usize = 23;
/// The number of bytes that bcrypt reads of a password and the NUL after it.
const MAX_READ: usize = 72;
/// The work at cost 4; see [`super::ForeignHash::work_kib`].
const KIB_FOR_COST_4: u64 = 1024;

/// bcrypt's base64. The last digit of a salt has four unused bits, which some implementations do
/// not set to zero.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::RequireNone)
        .with_decode_allow_trailing_bits(true),
);

/// A bcrypt hash (Provos and Mazières, 1999). The variants `$2a$`, `$2b$` and `$2y$` mark fixed
/// bugs of implementations; all are computed alike.
pub struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    hash: [u8; HASH_LENGTH],
    /// Whether bcrypt was applied to the SHA-256 of the password, in hex, instead of the password.
    of_sha256: bool,
}

impl Bcrypt {
    /// Parses `12$<salt><hash>`, the text after `$2b$`.
    pub fn parse(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[cost, digits] = parts else {
            return Err(WRONG_PARTS);
        };
        let cost = within_bounds(number(cost)?)?;
        let (salt, hash) = digits.split_at_checked(SALT_DIGITS).ok_or(WRONG_PARTS)?;
        Ok(Self {
            cost,
            salt: base64(salt)?,
            hash: base64(hash)?,
            of_sha256: false,
        })
    }

    /// Parses `$2b$12$<salt><hash>`, the text after `bcrypt_sha256$`.
    pub fn parse_django_sha256(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let ["", "2a" | "2b" | "2y", bcrypt @ ..] = parts else {
            return Err(WRONG_PARTS);
        };
        let hash = Self::parse(bcrypt)?;
        Ok(Self {
            of_sha256: true,
            ..hash
        })
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        let hash = if self.of_sha256 {
            self.compute(sha256_hex(password).as_bytes())
        } else {
            self.compute(password)
        };
        let kept = hash
            .first_chunk::<HASH_LENGTH>()
            .expect("24 bytes have a prefix of 23");
        constant_time::verify_slices_are_equal(kept, &self.hash).is_ok()
    }

    /// Computes the hash of what the original implementations read of the password: up to a NUL,
    /// and at most 72 bytes.
    fn compute(&self, password: &[u8]) -> [u8; HASH_LENGTH + 1] {
        let text = password.split(|&byte| byte == 0).next().unwrap_or_default();
        let mut read = Zeroizing::new(Vec::with_capacity(MAX_READ));
        read.extend(text.iter().chain(&[0]).take(MAX_READ));
        bcrypt(self.cost, self.salt, &read)
    }

    pub fn work_kib(&self) -> u64 {
        KIB_FOR_COST_4 << (self.cost - MIN_COST)
    }
}

fn within_bounds(cost: u32) -> Result<u32, ForeignHashRefused> {
    match cost {
        ..MIN_COST => Err(ForeignHashRefused::Damaged("bcrypt has no cost below 4")),
        MIN_COST..=MAX_COST => Ok(cost),
        _ => Err(ForeignHashRefused::TooCostly("bcrypt with a cost above 14")),
    }
}

fn base64<const N: usize>(digits: &str) -> Result<[u8; N], ForeignHashRefused> {
    let bytes = BASE64.decode(digits).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(ForeignHashRefused::Damaged(
            "the salt or the hash is not in bcrypt's base64",
        ))
}

fn sha256_hex(password: &[u8]) -> Zeroizing<String> {
    let mut hex = Zeroizing::new(String::with_capacity(64));
    for byte in digest::digest(&digest::SHA256, password).as_ref() {
        write!(hex, "{byte:02x}").expect("writing to a string cannot fail");
    }
    hex
}
