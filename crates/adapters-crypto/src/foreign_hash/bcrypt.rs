mod prehash;

use super::fields::{WRONG_PARTS, number, parameters};
use ::bcrypt::bcrypt;
use aws_lc_rs::constant_time;
use base64::{
    Engine,
    alphabet::BCRYPT,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use domain::ports::ForeignHashRefused;
use prehash::Prehash;
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
    prehash: Prehash,
}

impl Bcrypt {
    /// Parses `12$<salt><hash>`, the text after `$2b$`.
    pub fn parse(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[cost, digits] = parts else {
            return Err(WRONG_PARTS);
        };
        let (salt, hash) = digits.split_at_checked(SALT_DIGITS).ok_or(WRONG_PARTS)?;
        Self::new(number(cost)?, salt, hash, Prehash::None)
    }

    /// Parses `$2b$12$<salt><hash>`, the text after `bcrypt_sha256$`.
    pub fn parse_django_sha256(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let ["", parts @ ..] = parts else {
            return Err(WRONG_PARTS);
        };
        Self::parse_prehashed(parts, Prehash::Sha256Hex)
    }

    /// Parses `2y$10$<salt><hash>`, the text after `$wp$`.
    pub fn parse_wordpress(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        Self::parse_prehashed(parts, Prehash::WordPress)
    }

    /// Parses the text after passlib's `$bcrypt-sha256$`: `2b,12$<salt>$<hash>` of version 1, or
    /// `v=2,t=2b,r=12$<salt>$<hash>`.
    pub fn parse_passlib_sha256(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[settings, salt, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        let (variant, cost, prehash) = match settings.split_once(',') {
            Some((variant, cost)) if !variant.contains('=') => (variant, cost, Prehash::Sha256),
            _ => {
                let ["2", variant, cost] = parameters(settings, ["v", "t", "r"])? else {
                    return Err(ForeignHashRefused::UnknownForm);
                };
                (variant, cost, Prehash::HmacSha256 { key: salt.into() })
            }
        };
        if !is_variant(variant) {
            return Err(WRONG_PARTS);
        }
        Self::new(number(cost)?, salt, hash, prehash)
    }

    fn parse_prehashed(parts: &[&str], prehash: Prehash) -> Result<Self, ForeignHashRefused> {
        match parts {
            [variant, bcrypt @ ..] if is_variant(variant) => Ok(Self {
                prehash,
                ..Self::parse(bcrypt)?
            }),
            _ => Err(WRONG_PARTS),
        }
    }

    fn new(cost: u32, salt: &str, hash: &str, prehash: Prehash) -> Result<Self, ForeignHashRefused> {
        Ok(Self {
            cost: within_bounds(cost)?,
            salt: base64(salt)?,
            hash: base64(hash)?,
            prehash,
        })
    }

    /// Returns the texts that the other system may have hashed for a password with these forms.
    pub fn inputs(&self, forms: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
        self.prehash.inputs(forms)
    }

    pub fn is_of(&self, input: &[u8]) -> bool {
        let hash = self.compute(&self.prehash.apply(input));
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

fn is_variant(name: &str) -> bool {
    matches!(name, "2a" | "2b" | "2y")
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
