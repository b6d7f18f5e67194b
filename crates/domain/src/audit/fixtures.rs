//! Toy cryptography and rows for the tests of this crate.

use super::{
    Actor, AuditAction, AuditContext, AuditEvent, AuditKeyId, AuditMac, AuditNumber, AuditRow, Authenticity,
    BrokenRow, NoteSignature, Origin, ReadRow, Seal, SealedRow,
};
use crate::{
    fixtures::now,
    ports::{AuditSealer, CheckpointSigner, CheckpointVerifier},
};

/// A row of a stored log with its number: an event, one with an unknown action, or a row whose
/// columns cannot be read.
#[derive(Clone, Copy)]
pub enum StoredRow {
    Event(i64),
    Forged(i64),
    Broken(i64),
}

impl StoredRow {
    pub fn read(self) -> ReadRow {
        match self {
            Self::Event(number) | Self::Forged(number) => {
                let context = AuditContext::new(now(), Actor::Operator, Origin::default());
                let event = AuditEvent::new(AuditAction::LoginFailed);
                let mut row = AuditRow::new(AuditNumber(number), &event, &context);
                if let Self::Forged(_) = self {
                    "x".clone_into(&mut row.action);
                }
                Ok(SealedRow {
                    row,
                    seal: Seal::NONE,
                    mac: None,
                })
            }
            Self::Broken(number) => Err(BrokenRow(AuditNumber(number))),
        }
    }

    pub fn number(self) -> i64 {
        match self {
            Self::Event(number) | Self::Forged(number) | Self::Broken(number) => number,
        }
    }
}

/// Returns a checksum in place of a digest: it depends on every byte and on their order.
fn sum(start: u64, bytes: &[u8]) -> [u8; 8] {
    let step = |state: u64, byte: &u8| {
        state
            .wrapping_mul(1_099_511_628_211)
            .wrapping_add(u64::from(*byte) + 1)
    };
    bytes.iter().fold(start, step).to_be_bytes()
}

/// Seals with checksums. The number stands for the key.
#[derive(Clone, Copy)]
pub struct ToySeals(pub u8);

impl AuditSealer for ToySeals {
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal {
        let mut seal = [0; 32];
        seal[..8].copy_from_slice(&sum(0, &[&previous.0, row].concat()));
        Seal(seal)
    }

    fn mac(&self, message: &[u8]) -> AuditMac {
        let mut code = [0; 32];
        code[..8].copy_from_slice(&sum(self.0.into(), message));
        AuditMac {
            key: AuditKeyId([self.0; 8]),
            code,
        }
    }

    fn check(&self, message: &[u8], mac: &AuditMac) -> Authenticity {
        let right = self.mac(message);
        if right.key != mac.key {
            return Authenticity::UnknownKey;
        }
        if right == *mac {
            Authenticity::Valid
        } else {
            Authenticity::Wrong
        }
    }
}

/// Signs notes with checksums. The number stands for the key.
#[derive(Clone, Copy)]
pub struct ToyNotes(pub u8);

impl CheckpointSigner for ToyNotes {
    fn sign(&self, text: &[u8]) -> NoteSignature {
        let mut signature = [0; 64];
        signature[..8].copy_from_slice(&sum(self.0.into(), text));
        NoteSignature {
            key_hash: [self.0; 4],
            signature,
        }
    }
}

impl CheckpointVerifier for ToyNotes {
    fn check(&self, text: &[u8], signature: &NoteSignature) -> Authenticity {
        let right = self.sign(text);
        if right.key_hash != signature.key_hash {
            return Authenticity::UnknownKey;
        }
        if right == *signature {
            Authenticity::Valid
        } else {
            Authenticity::Wrong
        }
    }

    fn public_key(&self) -> String {
        format!("toy+{}", self.0)
    }
}
