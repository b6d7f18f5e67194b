use crate::keys::AuditKey;
use aws_lc_rs::{
    digest::{Context, SHA256},
    hmac,
};
use domain::{
    audit::{AuditKeyId, AuditMac, Authenticity, Seal},
    ports::AuditSealer,
};
use std::fmt;

/// The purpose for which the key of MACs is derived from the audit key.
const PURPOSE: &str = "authapi audit mac 1";
/// The message whose MAC begins with the id of the key. No other message of the audit log is as
/// short.
const KEY_ID_MESSAGE: &[u8] = b"id of the key";

/// Seals audit events with SHA-256, and authenticates them with HMAC-SHA256 under a key derived
/// from the audit key. AWS-LC computes both.
pub struct HmacSealer {
    id: AuditKeyId,
    key: hmac::Key,
}

impl HmacSealer {
    /// Creates the sealer of `key`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "a MAC is longer than an id")]
    pub fn new(key: &AuditKey) -> Self {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key.derive(PURPOSE).as_slice());
        let mac = hmac::sign(&key, KEY_ID_MESSAGE);
        let id = mac.as_ref().first_chunk().expect("a MAC has 32 bytes");
        Self {
            id: AuditKeyId(*id),
            key,
        }
    }

    /// Returns the id of the key.
    #[must_use]
    pub fn key_id(&self) -> AuditKeyId {
        self.id
    }
}

impl AuditSealer for HmacSealer {
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal {
        let mut context = Context::new(&SHA256);
        context.update(&previous.0);
        context.update(row);
        let digest = context.finish();
        Seal(digest.as_ref().try_into().expect("a SHA-256 digest has 32 bytes"))
    }

    fn mac(&self, message: &[u8]) -> AuditMac {
        let code = hmac::sign(&self.key, message);
        AuditMac {
            key: self.id,
            code: code.as_ref().try_into().expect("an HMAC-SHA256 has 32 bytes"),
        }
    }

    fn check(&self, message: &[u8], mac: &AuditMac) -> Authenticity {
        if mac.key != self.id {
            return Authenticity::UnknownKey;
        }
        match hmac::verify(&self.key, message, &mac.code) {
            Ok(()) => Authenticity::Valid,
            Err(_) => Authenticity::Wrong,
        }
    }
}

impl fmt::Debug for HmacSealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HmacSealer")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_digest_of_the_previous_seal_and_the_row() {
        let sealer = HmacSealer::new(&AuditKey::ephemeral());
        // The digest of 32 zero bytes and "abc", computed by sha256sum.
        let seal = sealer.seal(&Seal::NONE, b"abc");
        assert_eq!(
            seal.to_string(),
            "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370"
        );
        assert_ne!(sealer.seal(&seal, b"abc"), seal);
        let other = HmacSealer::new(&AuditKey::ephemeral());
        assert_eq!(other.seal(&Seal::NONE, b"abc"), seal, "seals depend on no key");
    }

    #[test]
    fn only_the_mac_of_a_message_under_the_key_is_valid() {
        let sealer = HmacSealer::new(&AuditKey::ephemeral());
        let mac = sealer.mac(b"message");
        assert_eq!(sealer.check(b"message", &mac), Authenticity::Valid);
        assert_eq!(sealer.check(b"massage", &mac), Authenticity::Wrong);
        for position in 0..32 {
            let mut spoilt = mac;
            spoilt.code[position] ^= 1;
            assert_eq!(
                sealer.check(b"message", &spoilt),
                Authenticity::Wrong,
                "{position}"
            );
        }
        let other = HmacSealer::new(&AuditKey::ephemeral());
        assert_ne!(other.key_id(), sealer.key_id());
        assert_eq!(other.check(b"message", &mac), Authenticity::UnknownKey);
        let renamed = AuditMac {
            key: other.key_id(),
            ..mac
        };
        assert_eq!(other.check(b"message", &renamed), Authenticity::Wrong);
    }

    #[test]
    fn debug_output_contains_only_the_id_of_the_key() {
        let sealer = HmacSealer::new(&AuditKey::ephemeral());
        let expected = format!("HmacSealer {{ id: AuditKeyId({}), .. }}", sealer.key_id());
        assert_eq!(format!("{sealer:?}"), expected);
    }
}
