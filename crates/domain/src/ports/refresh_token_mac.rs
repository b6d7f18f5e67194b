use crate::{
    refresh_token::{MAC_LENGTH, MacInput},
    session::{SecretDigest, SessionSecret},
};

/// The cryptography of refresh tokens: HMAC-SHA256 (RFC 2104) under the refresh key, which makes a token ours, and the
/// digest by which the session's storage knows the secret in it.
#[cfg_attr(test, mockall::automock)]
pub trait RefreshTokenMac: Send + Sync {
    /// MUST be a function of `input` and the key alone.
    fn sign(&self, input: &MacInput) -> [u8; MAC_LENGTH];

    /// Whether `mac` is the MAC of `input`. MUST take the same time for every `mac`.
    fn verify(&self, input: &MacInput, mac: &[u8; MAC_LENGTH]) -> bool;

    /// What to keep of `secret`: its SHA-256 (FIPS 180-4). Of 256 random bits that is enough: nothing is guessed, so nothing
    /// has to be slow or salted (NIST SP 800-63B on look-up secrets).
    ///
    /// MUST be a function of all of `secret` alone, of no key, and MUST NOT lead back to it.
    fn digest(&self, secret: &SessionSecret) -> SecretDigest;
}
