use crate::{
    refresh_token::MAC_LENGTH,
    session::{SecretDigest, SessionSecret},
};

/// The cryptography of refresh and device tokens: an HMAC-SHA256 (RFC 2104) under the refresh key,
/// which authenticates a token, and the digest under which storage keeps the session's secret.
#[cfg_attr(test, mockall::automock)]
pub trait RefreshTokenMac: Send + Sync {
    /// Returns the MAC of `input`. It MUST depend on `input` and the key alone.
    fn sign(&self, input: &[u8]) -> [u8; MAC_LENGTH];

    /// Returns whether `mac` is the MAC of `input`. The method MUST run in constant time with
    /// respect to `mac`.
    fn verify(&self, input: &[u8], mac: &[u8; MAC_LENGTH]) -> bool;

    /// Returns the SHA-256 (FIPS 180-4) of `secret`. A secret of 256 random bits cannot be guessed,
    /// so the digest needs neither salt nor work factor (NIST SP 800-63B on look-up secrets).
    ///
    /// The digest MUST depend on all of `secret` and on nothing else, and MUST NOT be invertible.
    fn digest(&self, secret: &SessionSecret) -> SecretDigest;
}
