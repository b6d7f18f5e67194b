use crate::keys::AuditKey;
use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    audit::{Authenticity, CHECKPOINT_ORIGIN, NoteSignature},
    ports::{CheckpointSigner, CheckpointVerifier},
};
use std::{fmt, str::FromStr};
use thiserror::Error;

/// The purpose for which the seed of the Ed25519 key is derived from the audit key.
const PURPOSE: &str = "authapi audit checkpoint ed25519 1";
/// The identifier of Ed25519 in signed notes.
const ALGORITHM: u8 = 1;
const PUBLIC_KEY_LENGTH: usize = 32;

/// Signs checkpoints of the audit log with Ed25519 (RFC 8032), under a key derived from the audit
/// key.
pub struct CheckpointKey {
    pair: Ed25519KeyPair,
    public: CheckpointPublicKey,
}

/// The public key of checkpoints. Its text form is that of C2SP `signed-note`:
/// `<name>+<hash>+<base64 of the algorithm and the key>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPublicKey([u8; PUBLIC_KEY_LENGTH]);

/// Why a text was refused as a public key: it has another form, or its hash is not that of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("expected a key such as authapi/audit+1a2b3c4d+AQ..., as `authapi audit public-key` prints it")]
pub struct NotAPublicKey;

impl CheckpointKey {
    /// Derives the key from `key`.
    #[must_use]
    #[expect(clippy::missing_panics_doc, reason = "any 32 bytes are the seed of a key")]
    pub fn new(key: &AuditKey) -> Self {
        let seed = key.derive(PURPOSE);
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice()).expect("a seed has 32 bytes");
        let public = pair.public_key().as_ref();
        let public = public.try_into().expect("a public key has 32 bytes");
        Self {
            pair,
            public: CheckpointPublicKey(public),
        }
    }

    /// Returns the public key.
    #[must_use]
    pub fn public_key(&self) -> CheckpointPublicKey {
        self.public.clone()
    }
}

impl CheckpointSigner for CheckpointKey {
    fn sign(&self, text: &[u8]) -> NoteSignature {
        let signature = self.pair.sign(text);
        NoteSignature {
            key_hash: self.public.hash(),
            signature: signature
                .as_ref()
                .try_into()
                .expect("an Ed25519 signature has 64 bytes"),
        }
    }
}

impl CheckpointPublicKey {
    /// Returns the first 4 bytes of the SHA-256 of name, line feed, algorithm and key.
    fn hash(&self) -> [u8; 4] {
        let named = [CHECKPOINT_ORIGIN.as_bytes(), b"\n", &[ALGORITHM], &self.0].concat();
        let digest = digest(&SHA256, &named);
        *digest.as_ref().first_chunk().expect("a digest has 32 bytes")
    }
}

impl CheckpointVerifier for CheckpointPublicKey {
    fn check(&self, text: &[u8], signature: &NoteSignature) -> Authenticity {
        if signature.key_hash != self.hash() {
            return Authenticity::UnknownKey;
        }
        match UnparsedPublicKey::new(&ED25519, &self.0).verify(text, &signature.signature) {
            Ok(()) => Authenticity::Valid,
            Err(_) => Authenticity::Wrong,
        }
    }

    fn public_key(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for CheckpointPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = STANDARD.encode([&[ALGORITHM][..], &self.0].concat());
        write!(
            f,
            "{CHECKPOINT_ORIGIN}+{:08x}+{key}",
            u32::from_be_bytes(self.hash())
        )
    }
}

impl FromStr for CheckpointPublicKey {
    type Err = NotAPublicKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '+');
        let (Some(_), Some(_), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(NotAPublicKey);
        };
        let bytes = STANDARD.decode(key).map_err(|_| NotAPublicKey)?;
        let key = match bytes.split_first() {
            Some((&ALGORITHM, key)) => Self(key.try_into().map_err(|_| NotAPublicKey)?),
            _ => return Err(NotAPublicKey),
        };
        // The text form also contains the name and the hash, which reveal typing errors.
        if key.to_string() == text {
            Ok(key)
        } else {
            Err(NotAPublicKey)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::audit::{AuditNumber, ChainEnd, InvalidCheckpoint, Seal, SignedCheckpoint};

    fn end() -> ChainEnd {
        ChainEnd {
            number: AuditNumber(7),
            seal: Seal([3; 32]),
        }
    }

    #[test]
    fn a_checkpoint_is_accepted_only_under_the_key_that_signed_it() {
        let key = CheckpointKey::new(&AuditKey::ephemeral());
        let note = SignedCheckpoint::sign(end(), &key).note().to_owned();
        let parsed = SignedCheckpoint::parse(&note, &key.public_key()).expect("the signature is valid");
        assert_eq!(parsed.end(), end());
        let edited = note.replace("\n7\n", "\n8\n");
        let refused = SignedCheckpoint::parse(&edited, &key.public_key());
        assert_eq!(refused, Err(InvalidCheckpoint::WrongSignature));
        let other = CheckpointKey::new(&AuditKey::ephemeral()).public_key();
        let refused = SignedCheckpoint::parse(&note, &other);
        assert_eq!(refused, Err(InvalidCheckpoint::UnknownKey));
    }

    #[test]
    fn the_public_key_survives_a_round_trip_and_typing_errors_are_refused() {
        let key = CheckpointKey::new(&AuditKey::ephemeral()).public_key();
        let text = key.to_string();
        assert!(text.starts_with("authapi/audit+"), "{text}");
        assert_eq!(text.parse(), Ok(key));
        for wrong in [
            "",
            "authapi/audit",
            "authapi/audit+00000000+AQ==",
            &text[1..],
            &text[..text.len() - 1],
            &text.replace("+A", "+B"),
            &text.replacen("audit", "other", 1),
        ] {
            assert_eq!(
                wrong.parse::<CheckpointPublicKey>(),
                Err(NotAPublicKey),
                "{wrong}"
            );
        }
    }

    /// Another implementation computed the expected hash.
    #[test]
    fn the_hash_covers_name_algorithm_and_key() {
        let key = CheckpointPublicKey([9; 32]);
        assert_eq!(key.hash(), [0x9c, 0xa6, 0x83, 0xd9]);
    }
}
