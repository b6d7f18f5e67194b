use crate::toy_digest::toy_digest;
use domain::{
    ports::RefreshTokenMac,
    refresh_token::MAC_LENGTH,
    session::{SecretDigest, SessionSecret},
};

/// The key of digests, which need none.
const NO_KEY: u64 = 0;

/// A MAC and a digest that are easy to forge. Both are deterministic, fast, and for tests only.
#[derive(Clone, Debug, Default)]
pub struct ToyMac {
    key: u64,
}

impl ToyMac {
    /// Creates a MAC under `key`.
    #[must_use]
    pub fn new(key: u64) -> Self {
        Self { key }
    }
}

impl RefreshTokenMac for ToyMac {
    fn sign(&self, input: &[u8]) -> [u8; MAC_LENGTH] {
        toy_digest(self.key, input)
    }

    fn verify(&self, input: &[u8], mac: &[u8; MAC_LENGTH]) -> bool {
        let differences = self.sign(input).into_iter().zip(mac);
        differences.fold(0, |found, (ours, theirs)| found | (ours ^ theirs)) == 0
    }

    fn digest(&self, secret: &SessionSecret) -> SecretDigest {
        SecretDigest(toy_digest(NO_KEY, secret.expose()))
    }
}
