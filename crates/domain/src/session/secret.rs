//! What a session's refresh tokens are made of, and what is kept of it.

use std::fmt;
use zeroize::Zeroizing;

/// 32 random bytes that each refresh token of a session carries, and nothing else: they are stored nowhere. Whoever has
/// them and the refresh key makes the session's tokens; either alone makes none. Redacted in `Debug`, wiped when dropped.
#[derive(Clone)]
pub struct SessionSecret(Zeroizing<[u8; 32]>);

impl SessionSecret {
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for a token that carries them or a digest of them.
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

/// All that is stored of a session's secret: enough to recognise it by, too little to make a token from.
///
/// Compared as any bytes are. What the time of that gives away is the digest alone, and from a digest nobody finds a secret
/// that has it; nor is any compared before the MAC of its token was found right.
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
    fn neither_shows_in_debug_output() {
        let shown = format!("{:?} {:?}", SessionSecret::new([7; 32]), SecretDigest([8; 32]));
        assert_eq!(shown, "SessionSecret([REDACTED]) SecretDigest([REDACTED])");
    }
}
