use aws_lc_rs::{digest, hmac};
use base64::{Engine, engine::general_purpose::STANDARD};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

/// The HMAC key of `WordPress`.
const WORDPRESS_KEY: &[u8] = b"wp-sha384";

/// The function of the password to which a system applies bcrypt, which reads only 72 bytes.
pub enum Prehash {
    None,
    /// SHA-256 in hex: Django.
    Sha256Hex,
    /// SHA-256 in base64: passlib, version 1.
    Sha256,
    /// HMAC-SHA-256 in base64, with the salt's digits as the key: passlib, version 2.
    HmacSha256 {
        key: String,
    },
    /// HMAC-SHA-384 in base64: `WordPress` 6.8.
    WordPress,
}

impl Prehash {
    /// Returns the distinct texts that the other system may have hashed for a password with these
    /// forms. `WordPress` removes white space at both ends, and its own pages hash quotes and
    /// backslashes with a backslash before each.
    pub fn inputs(&self, forms: Vec<Zeroizing<String>>) -> Vec<Zeroizing<String>> {
        if !matches!(self, Self::WordPress) {
            return forms;
        }
        let mut inputs = Vec::new();
        for form in forms {
            let trimmed = form.trim_matches([' ', '\n', '\r', '\t', '\u{b}', '\0']);
            for input in [slashed(trimmed), Zeroizing::new(trimmed.to_owned())] {
                if !inputs.contains(&input) {
                    inputs.push(input);
                }
            }
        }
        inputs
    }

    pub fn apply(&self, input: &[u8]) -> Zeroizing<Vec<u8>> {
        let sha256 = || digest::digest(&digest::SHA256, input);
        Zeroizing::new(match self {
            Self::None => input.to_vec(),
            Self::Sha256Hex => HEXLOWER.encode(sha256().as_ref()).into_bytes(),
            Self::Sha256 => STANDARD.encode(sha256()).into_bytes(),
            Self::HmacSha256 { key } => mac(hmac::HMAC_SHA256, key.as_bytes(), input),
            Self::WordPress => mac(hmac::HMAC_SHA384, WORDPRESS_KEY, input),
        })
    }
}

fn mac(algorithm: hmac::Algorithm, key: &[u8], input: &[u8]) -> Vec<u8> {
    let tag = hmac::sign(&hmac::Key::new(algorithm, key), input);
    STANDARD.encode(tag).into_bytes()
}

fn slashed(text: &str) -> Zeroizing<String> {
    let mut slashed = Zeroizing::new(String::with_capacity(2 * text.len()));
    for character in text.chars() {
        if matches!(character, '\'' | '"' | '\\') {
            slashed.push('\\');
        }
        slashed.push(character);
    }
    slashed
}
