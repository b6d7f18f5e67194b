//! The secret of a session's refresh tokens, and its stored digest.

use std::{fmt, hint::black_box};
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
/// The comparison `==` is not constant-time. Its timing could only reveal the digest, from which
/// the secret cannot be derived, and it happens after the token's MAC was verified. Secrets of
/// machines have no MAC; they are compared with [`is_same`](Self::is_same).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SecretDigest(pub [u8; 32]);

impl SecretDigest {
    /// Returns whether the digests are the same. The time does not depend on where they differ.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let differ = |bits: u8, (ours, theirs): (&u8, &u8)| black_box(bits | ours ^ theirs);
        self.0.iter().zip(&other.0).fold(0, differ) == 0
    }
}

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
