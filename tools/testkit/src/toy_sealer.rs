use crate::toy_digest::toy_digest;
use domain::{
    audit::{AuditKeyId, AuditMac, Authenticity, NoteSignature, Seal},
    ports::{AuditSealer, CheckpointSigner, CheckpointVerifier},
};

/// The key of MACs and of signatures. Seals have the key 0.
const KEY: u64 = 1;
const KEY_ID: AuditKeyId = AuditKeyId([1; 8]);
const KEY_HASH: [u8; 4] = [1; 4];

/// Seals, MACs and signatures of the audit log that are easy to forge: for tests only.
#[derive(Clone, Copy, Debug, Default)]
pub struct ToySealer;

impl AuditSealer for ToySealer {
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal {
        Seal(toy_digest(0, &[&previous.0, row].concat()))
    }

    fn mac(&self, message: &[u8]) -> AuditMac {
        AuditMac {
            key: KEY_ID,
            code: toy_digest(KEY, message),
        }
    }

    fn check(&self, message: &[u8], mac: &AuditMac) -> Authenticity {
        authenticity(mac.key == KEY_ID, *mac == self.mac(message))
    }
}

impl CheckpointSigner for ToySealer {
    fn sign(&self, text: &[u8]) -> NoteSignature {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&toy_digest(KEY, text));
        NoteSignature {
            key_hash: KEY_HASH,
            signature,
        }
    }
}

impl CheckpointVerifier for ToySealer {
    fn check(&self, text: &[u8], signature: &NoteSignature) -> Authenticity {
        authenticity(signature.key_hash == KEY_HASH, *signature == self.sign(text))
    }

    fn public_key(&self) -> String {
        "toy+01010101+AQ==".to_owned()
    }
}

fn authenticity(is_known: bool, is_right: bool) -> Authenticity {
    match (is_known, is_right) {
        (false, _) => Authenticity::UnknownKey,
        (true, true) => Authenticity::Valid,
        (true, false) => Authenticity::Wrong,
    }
}
