use crate::refresh_token::{MAC_LENGTH, MacInput};

/// HMAC-SHA256 (RFC 2104) under the refresh key.
#[cfg_attr(test, mockall::automock)]
pub trait RefreshTokenMac: Send + Sync {
    /// MUST be a function of `input` and the key alone.
    fn sign(&self, input: &MacInput) -> [u8; MAC_LENGTH];

    /// Whether `mac` is the MAC of `input`. MUST take the same time for every `mac`.
    fn verify(&self, input: &MacInput, mac: &[u8; MAC_LENGTH]) -> bool;
}
