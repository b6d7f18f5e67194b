//! Formats that differ from a stored one only in notation are converted to it.

use crate::foreign_hash::FAST_DIGEST;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use data_encoding::HEXLOWER_PERMISSIVE;
use domain::ports::ForeignHashRefused;
use std::borrow::Cow;

const NOT_HEX: ForeignHashRefused = ForeignHashRefused::Damaged("the hash is not hexadecimal");
/// The lengths of Better Auth's salt and key, in hexadecimal digits.
const BETTER_AUTH_DIGITS: (usize, usize) = (32, 128);

/// Converts `text` to the form in which the service stores such a hash. A text in no known notation
/// is returned unchanged.
///
/// # Errors
/// [`ForeignHashRefused`] if `text` has a known notation but cannot be converted.
pub fn stored_form(text: &str) -> Result<Cow<'_, str>, ForeignHashRefused> {
    if let Some((label, hash)) = text.strip_prefix('{').and_then(|text| text.split_once('}')) {
        return without_ldap_label(&label.to_ascii_lowercase(), hash);
    }
    match text.split_once('$') {
        // Django's labels of argon2 and bcrypt, whose hashes name their own scheme.
        Some(("argon2", hash)) => Ok(format!("${hash}").into()),
        Some(("bcrypt", hash)) => Ok(hash.into()),
        Some((method, rest)) if method.contains(':') => from_werkzeug(method, rest).map(Cow::Owned),
        Some(_) => Ok(text.into()),
        None => Ok(from_better_auth(text).map_or(Cow::Borrowed(text), Cow::Owned)),
    }
}

/// Removes a label such as `{BCRYPT}` (RFC 2307, section 5.3).
fn without_ldap_label<'a>(label: &str, hash: &'a str) -> Result<Cow<'a, str>, ForeignHashRefused> {
    let digest = match label {
        "bcrypt" if hash.starts_with("$2") => return Ok(hash.into()),
        "argon2" if hash.starts_with("$argon2") => return Ok(hash.into()),
        "crypt" if hash.starts_with('$') => return Ok(hash.into()),
        "pbkdf2" | "pbkdf2-sha1" => "pbkdf2",
        "pbkdf2-sha256" => "pbkdf2-sha256",
        "pbkdf2-sha512" => "pbkdf2-sha512",
        "md5" | "smd5" | "sha" | "ssha" | "sha256" | "ssha256" | "sha384" | "ssha384" | "sha512"
        | "ssha512" => {
            return Err(FAST_DIGEST);
        }
        _ => return Err(ForeignHashRefused::UnknownForm),
    };
    Ok(format!("${digest}${hash}").into())
}

/// Converts a hash of Werkzeug: `pbkdf2:sha256:600000$<salt>$<hash>` or
/// `scrypt:32768:8:1$<salt>$<hash>`. The salt is used as text, and the hash is hexadecimal.
fn from_werkzeug(method: &str, rest: &str) -> Result<String, ForeignHashRefused> {
    let (salt, hash) = rest.split_once('$').ok_or(ForeignHashRefused::UnknownForm)?;
    let hash = || HEXLOWER_PERMISSIVE.decode(hash.as_bytes()).map_err(|_| NOT_HEX);
    match method.split(':').collect::<Vec<_>>()[..] {
        ["pbkdf2", digest @ ("sha1" | "sha256" | "sha512"), iterations] => {
            let (salt, hash) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(hash()?));
            Ok(format!("$pbkdf2-{digest}${iterations}${salt}${hash}"))
        }
        ["pbkdf2", _] => Err(ForeignHashRefused::Damaged("the number of iterations is missing")),
        ["scrypt", n, r, p] => Ok(format!("scrypt${n}${salt}${r}${p}${}", STANDARD.encode(hash()?))),
        _ => Err(ForeignHashRefused::UnknownForm),
    }
}

/// Converts a hash of Better Auth or Lucia 3: `<salt>:<key>` in hexadecimal, made by scrypt with
/// N = 16384, r = 16 and p = 1 from the digits of the salt. Returns `None` for any other text.
fn from_better_auth(text: &str) -> Option<String> {
    let (salt, key) = text.split_once(':')?;
    let digits = (salt.len(), key.len());
    let is_hex = salt.bytes().all(|byte| byte.is_ascii_hexdigit());
    let key = HEXLOWER_PERMISSIVE.decode(key.as_bytes()).ok()?;
    let is_known = is_hex && digits == BETTER_AUTH_DIGITS;
    is_known.then(|| format!("scrypt$16384${salt}$16$1${}", STANDARD.encode(key)))
}
