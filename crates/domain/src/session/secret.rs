//! The secret of a session's refresh tokens, and its stored digest.

use std::fmt;
use zeroize::Zeroizing;

/// 32 random bytes that every refresh token of a session carries. They are not stored. Producing a
/// token requires both these bytes and the refresh key. They are redacted in `Debug` and wiped when
/// dropped.
#[derive(Clone)]
pub struct SessionSecret(Zeroizing<[u8; 32]>);

impl SessionSecret {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes, to build a token or to compute the digest.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionSecret([REDACTED])")
    }
}

/// The stored digest of a session's secret: enough to recognise the secret, not enough to build a
/// token.
///
/// The comparison is not constant-time. Its timing could only reveal the digest, from which the
/// secret cannot be derived, and it happens after the token's MAC was verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest(pub [u8; 32]);

impl fmt::Debug for SecretDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretDigest([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_contains_neither_secret_nor_digest() {
        let shown = format!("{:?} {:?}", SessionSecret::new([7; 32]), SecretDigest([8; 32]));
        assert_eq!(shown, "SessionSecret([REDACTED]) SecretDigest([REDACTED])");
    }
}
