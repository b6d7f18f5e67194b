//! Parsers for the fields that several hash formats share.

use base64::{
    Engine,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use domain::ports::ForeignHashRefused;

/// The error for a missing or superfluous part.
pub const WRONG_PARTS: ForeignHashRefused = ForeignHashRefused::Damaged("a part is missing or superfluous");

const MIN_SALT_LENGTH: usize = 4;
const MIN_HASH_LENGTH: usize = 16;
const MAX_HASH_LENGTH: usize = 64;

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64 with or without padding, in each of the alphabets in use. They differ in the last
/// two digits: `+/`, `-_` (RFC 4648, section 5) or `./` (passlib).
pub fn base64(text: &str) -> Result<Vec<u8>, ForeignHashRefused> {
    let standard = text.replace(['-', '.'], "+").replace('_', "/");
    BASE64
        .decode(standard)
        .map_err(|_| ForeignHashRefused::Damaged("a part is not base64"))
}

/// Parses a number of digits only, as every format writes its numbers.
pub fn number(text: &str) -> Result<u32, ForeignHashRefused> {
    let is_decimal = text.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal
        .then(|| text.parse().ok())
        .flatten()
        .ok_or(ForeignHashRefused::Damaged(
            "a number is missing, wrong or too large",
        ))
}

/// Returns the values of exactly these parameters in this order, as in `ln=14,r=8,p=1`.
pub fn parameters<'a, const N: usize>(
    text: &'a str,
    names: [&str; N],
) -> Result<[&'a str; N], ForeignHashRefused> {
    let wrong = ForeignHashRefused::Damaged("the parameters do not match the format");
    let values: Option<Vec<_>> = text
        .split(',')
        .zip(names)
        .map(|(parameter, name)| parameter.strip_prefix(name)?.strip_prefix('='))
        .collect();
    let count = text.split(',').count();
    let values = values.and_then(|values| <[&str; N]>::try_from(values).ok());
    values.filter(|_| count == N).ok_or(wrong)
}

/// Returns `salt` if it has at least [`MIN_SALT_LENGTH`] bytes.
pub fn long_enough_salt(salt: Vec<u8>) -> Result<Vec<u8>, ForeignHashRefused> {
    if salt.len() < MIN_SALT_LENGTH {
        return Err(ForeignHashRefused::TooWeak("the salt has fewer than 4 bytes"));
    }
    Ok(salt)
}

/// Returns `hash` if it has [`MIN_HASH_LENGTH`] to [`MAX_HASH_LENGTH`] bytes.
pub fn whole_hash(hash: Vec<u8>) -> Result<Vec<u8>, ForeignHashRefused> {
    if !(MIN_HASH_LENGTH..=MAX_HASH_LENGTH).contains(&hash.len()) {
        return Err(ForeignHashRefused::Damaged(
            "the hash does not have 16 to 64 bytes",
        ));
    }
    Ok(hash)
}
