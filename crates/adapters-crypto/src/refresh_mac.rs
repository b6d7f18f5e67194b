use crate::{
    keys::{KeyRing, RefreshKey},
    signing_set::{SetKey, SigningSet},
};
use aws_lc_rs::{digest, hmac};
use domain::{
    ports::RefreshTokenMac,
    refresh_token::MAC_LENGTH,
    session::{SecretDigest, SessionSecret},
};
use std::fmt;
use zeroize::Zeroizing;

/// HMAC-SHA256 (RFC 2104) with the refresh keys, which are parsed once, and plain SHA-256 (FIPS
/// 180-4).
///
/// One key authenticates new tokens, and tokens of all keys are accepted. The keys can be replaced
/// while tokens are made and verified: each call uses one set as a whole.
pub struct HmacRefreshMac(SigningSet<MacKey>);

struct MacKey {
    key: hmac::Key,
    fingerprint: String,
}

impl HmacRefreshMac {
    /// Creates the MAC with one key.
    #[must_use]
    pub fn new(refresh_key: &[u8; 32]) -> Self {
        let key = RefreshKey::new(Zeroizing::new(*refresh_key));
        Self(SigningSet::new([MacKey::from(&key)]))
    }

    /// Creates the MAC with the refresh keys of `ring`, the newest of which authenticates new
    /// tokens.
    #[must_use]
    pub fn of_ring(ring: &KeyRing) -> Self {
        Self(SigningSet::new(mac_keys(ring)))
    }

    /// Replaces the keys. The key that authenticates new tokens stays the same if `ring` contains
    /// it.
    pub fn replace(&self, ring: &KeyRing) {
        self.0.replace(mac_keys(ring));
    }

    /// Authenticates new tokens with the key that has this fingerprint. Does nothing if there is
    /// none.
    pub fn sign_with(&self, fingerprint: &str) {
        self.0.sign_with(fingerprint);
    }

    /// Returns the fingerprint of the key that authenticates new tokens.
    #[must_use]
    pub fn signing_fingerprint(&self) -> String {
        self.0.signing_id()
    }
}

/// Returns the refresh keys of `ring`, the newest first.
fn mac_keys(ring: &KeyRing) -> impl Iterator<Item = MacKey> {
    ring.refresh_keys().iter().map(MacKey::from)
}

impl SetKey for MacKey {
    fn id(&self) -> &str {
        &self.fingerprint
    }
}

impl From<&RefreshKey> for MacKey {
    fn from(key: &RefreshKey) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, &*key.key),
            fingerprint: key.fingerprint.clone(),
        }
    }
}

impl RefreshTokenMac for HmacRefreshMac {
    fn sign(&self, input: &[u8]) -> [u8; MAC_LENGTH] {
        hmac::sign(&self.0.keys().signing().key, input)
            .as_ref()
            .try_into()
            .expect("an HMAC-SHA256 has 32 bytes")
    }

    fn verify(&self, input: &[u8], mac: &[u8; MAC_LENGTH]) -> bool {
        self.0
            .keys()
            .all()
            .iter()
            .any(|key| hmac::verify(&key.key, input, mac).is_ok())
    }

    fn digest(&self, secret: &SessionSecret) -> SecretDigest {
        let digest = digest::digest(&digest::SHA256, secret.expose());
        SecretDigest(digest.as_ref().try_into().expect("a SHA-256 digest has 32 bytes"))
    }
}

impl fmt::Debug for HmacRefreshMac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacRefreshMac([REDACTED])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array;

    fn input(first: u8) -> [u8; 53] {
        let mut input = [7; _];
        input[0] = first;
        input
    }

    #[test]
    fn only_the_mac_of_an_input_under_the_key_is_accepted() {
        let mac = HmacRefreshMac::new(&[1; 32]);
        let signed = mac.sign(&input(0));
        assert!(mac.verify(&input(0), &signed));
        assert!(!mac.verify(&input(1), &signed));
        assert!(!HmacRefreshMac::new(&[2; 32]).verify(&input(0), &signed));
        for position in 0..MAC_LENGTH {
            let mut spoilt = signed;
            spoilt[position] ^= 0x01;
            assert!(!mac.verify(&input(0), &spoilt), "byte {position}");
        }
    }

    /// Another implementation computed the expected value: the HMAC-SHA256 of 53 bytes 0x07 under
    /// 32 bytes 0x01.
    #[test]
    fn the_mac_is_hmac_sha256() {
        let expected = [
            0x3a, 0x15, 0xd0, 0xe0, 0x06, 0x5e, 0x26, 0xc9, 0x5d, 0x48, 0x5b, 0xe7, 0x27, 0x23, 0xc3, 0x9b,
            0x7f, 0x8d, 0xda, 0x0f, 0x92, 0xb4, 0x4f, 0xc3, 0x7b, 0x58, 0x5e, 0x0f, 0x6c, 0x74, 0xd1, 0xb3,
        ];
        assert_eq!(HmacRefreshMac::new(&[1; 32]).sign(&input(7)), expected);
    }

    /// Another implementation computed the expected value: the SHA-256 of the bytes 0x00 to 0x1f.
    #[test]
    fn the_digest_is_sha_256_and_independent_of_the_key() {
        let secret = SessionSecret::new(array::from_fn(|place| {
            u8::try_from(place).expect("the index fits in a byte")
        }));
        let expected = SecretDigest([
            0x63, 0x0d, 0xcd, 0x29, 0x66, 0xc4, 0x33, 0x66, 0x91, 0x12, 0x54, 0x48, 0xbb, 0xb2, 0x5b, 0x4f,
            0xf4, 0x12, 0xa4, 0x9c, 0x73, 0x2d, 0xb2, 0xc8, 0xab, 0xc1, 0xb8, 0x58, 0x1b, 0xd7, 0x10, 0xdd,
        ]);
        for key in [[1; 32], [2; 32]] {
            assert!(HmacRefreshMac::new(&key).digest(&secret) == expected);
        }
    }

    #[test]
    fn debug_output_contains_no_key() {
        assert_eq!(
            format!("{:?}", HmacRefreshMac::new(&[1; 32])),
            "HmacRefreshMac([REDACTED])"
        );
    }
}
