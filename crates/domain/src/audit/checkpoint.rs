//! Checkpoints: signed statements that the audit log reached a position.
//!
//! A checkpoint is a signed note (C2SP `signed-note`) whose text has the form of a C2SP
//! `tlog-checkpoint`. Its lines are the origin, the number of the last event, and its seal in
//! base64. The seal is the end of a hash chain and not the root of a Merkle tree.

use super::{AuditNumber, Authenticity, ChainEnd, Seal};
use crate::ports::{CheckpointSigner, CheckpointVerifier};
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use thiserror::Error;

/// The first line of every checkpoint, and the name of the key in its signature line.
pub const CHECKPOINT_ORIGIN: &str = "authapi/audit";
/// Begins every signature line of a note.
const SIGNATURE_PREFIX: &str = "\u{2014} ";
/// The maximum length of a note in bytes. A note of this service has less than 300.
const MAX_LENGTH: usize = 16 * 1024;
const KEY_HASH_LENGTH: usize = 4;

/// A signature of a note, with the hash that identifies the public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The first 4 bytes of the SHA-256 of name, line feed, algorithm and public key.
    pub key_hash: [u8; KEY_HASH_LENGTH],
    /// An Ed25519 signature (RFC 8032) of the text.
    pub signature: [u8; 64],
}

/// A position of the chain, with a valid signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    end: ChainEnd,
    note: String,
}

/// A checkpoint as storage keeps it. Its signature may be wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The number of the last event that it covers.
    pub number: AuditNumber,
    pub at: DateTime<Utc>,
    pub note: String,
}

/// Why a text is not a checkpoint of this log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum InvalidCheckpoint {
    #[error("it is not a signed note of an audit log")]
    Malformed,
    #[error("it is signed with another key")]
    UnknownKey,
    #[error("its signature is wrong")]
    WrongSignature,
}

impl SignedCheckpoint {
    /// Signs the statement that the log reached `end`.
    #[must_use]
    pub fn sign(end: ChainEnd, signer: &dyn CheckpointSigner) -> Self {
        let text = text_of(end);
        let signature = signer.sign(text.as_bytes());
        let line = STANDARD.encode([&signature.key_hash[..], &signature.signature].concat());
        Self {
            end,
            note: format!("{text}\n{SIGNATURE_PREFIX}{CHECKPOINT_ORIGIN} {line}\n"),
        }
    }

    /// Parses a note and checks its signature. Signatures of other names and lines that extend the
    /// text are permitted.
    ///
    /// # Errors
    /// Returns [`InvalidCheckpoint`] if the note has no valid signature of this log's key.
    pub fn parse(note: &str, verifier: &dyn CheckpointVerifier) -> Result<Self, InvalidCheckpoint> {
        if note.len() > MAX_LENGTH {
            return Err(InvalidCheckpoint::Malformed);
        }
        let (lines, signatures) = note.rsplit_once("\n\n").ok_or(InvalidCheckpoint::Malformed)?;
        let end = parse_text(lines).ok_or(InvalidCheckpoint::Malformed)?;
        // The signature covers the line feed of the last line.
        check_signatures(&format!("{lines}\n"), signatures, verifier)?;
        Ok(Self {
            end,
            note: note.to_owned(),
        })
    }

    /// Returns the position of the last event that the checkpoint covers.
    #[must_use]
    pub fn end(&self) -> ChainEnd {
        self.end
    }

    /// Returns the signed note.
    #[must_use]
    pub fn note(&self) -> &str {
        &self.note
    }
}

fn text_of(end: ChainEnd) -> String {
    let seal = STANDARD.encode(end.seal.0);
    format!("{CHECKPOINT_ORIGIN}\n{}\n{seal}\n", end.number)
}

fn parse_text(lines: &str) -> Option<ChainEnd> {
    let mut lines = lines.split('\n');
    let (origin, number, seal) = (lines.next()?, lines.next()?, lines.next()?);
    let is_decimal = number.bytes().all(|digit| digit.is_ascii_digit()) && !number.starts_with('0');
    if origin != CHECKPOINT_ORIGIN || !is_decimal || lines.any(str::is_empty) {
        return None;
    }
    Some(ChainEnd {
        number: AuditNumber(number.parse().ok()?),
        seal: Seal(STANDARD.decode(seal).ok()?.try_into().ok()?),
    })
}

/// Checks that one of the signature lines is a valid one of this log's key.
fn check_signatures(
    text: &str,
    signatures: &str,
    verifier: &dyn CheckpointVerifier,
) -> Result<(), InvalidCheckpoint> {
    let lines = signatures
        .strip_suffix('\n')
        .ok_or(InvalidCheckpoint::Malformed)?;
    for line in lines.split('\n') {
        let (name, encoded) = line
            .strip_prefix(SIGNATURE_PREFIX)
            .and_then(|line| line.split_once(' '))
            .ok_or(InvalidCheckpoint::Malformed)?;
        let Some(signature) = parse_signature(encoded).filter(|_| name == CHECKPOINT_ORIGIN) else {
            continue;
        };
        match verifier.check(text.as_bytes(), &signature) {
            Authenticity::Valid => return Ok(()),
            Authenticity::Wrong => return Err(InvalidCheckpoint::WrongSignature),
            Authenticity::UnknownKey => {}
        }
    }
    Err(InvalidCheckpoint::UnknownKey)
}

fn parse_signature(encoded: &str) -> Option<NoteSignature> {
    let bytes = STANDARD.decode(encoded).ok()?;
    let (key_hash, signature) = bytes.split_first_chunk()?;
    Some(NoteSignature {
        key_hash: *key_hash,
        signature: signature.try_into().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::fixtures::ToyNotes;
    use proptest::prelude::*;

    fn end() -> ChainEnd {
        ChainEnd {
            number: AuditNumber(1207),
            seal: Seal([5; 32]),
        }
    }

    fn note() -> String {
        SignedCheckpoint::sign(end(), &ToyNotes(1)).note().to_owned()
    }

    fn parse(note: &str) -> Result<ChainEnd, InvalidCheckpoint> {
        SignedCheckpoint::parse(note, &ToyNotes(1)).map(|checkpoint| checkpoint.end())
    }

    #[test]
    fn a_checkpoint_has_the_form_of_a_signed_note() {
        let note = note();
        let lines: Vec<&str> = note.split('\n').collect();
        let [origin, number, seal, "", signature, ""] = lines[..] else {
            panic!("{note:?}");
        };
        assert_eq!(origin, "authapi/audit");
        assert_eq!(number, "1207");
        assert_eq!(seal, "BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=");
        assert!(signature.starts_with("\u{2014} authapi/audit "), "{signature}");
        assert_eq!(parse(&note), Ok(end()));
    }

    #[test]
    fn another_key_or_another_text_is_refused() {
        let other = SignedCheckpoint::parse(&note(), &ToyNotes(2));
        assert_eq!(other, Err(InvalidCheckpoint::UnknownKey));
        let moved = note().replace("\n1207\n", "\n1208\n");
        assert_eq!(parse(&moved), Err(InvalidCheckpoint::WrongSignature));
    }

    #[test]
    fn signatures_of_witnesses_are_ignored() {
        let both = format!("{}\u{2014} witness.example/w1 AAAAAAAA\n", note());
        assert_eq!(parse(&both), Ok(end()));
        let alone = format!("{}\n\u{2014} witness.example/w1 AAAAAAAA\n", text_of(end()));
        assert_eq!(parse(&alone), Err(InvalidCheckpoint::UnknownKey));
    }

    #[test]
    fn what_is_not_a_note_is_malformed() {
        let good = note();
        for bad in [
            String::new(),
            "\n\n".to_owned(),
            good.trim_end().to_owned(),
            good.replace("authapi/audit\n", "another/log\n"),
            good.replace("\n1207\n", "\n01207\n"),
            good.replace("\n1207\n", "\n-1\n"),
            good.replace("\n1207\n", "\n+1\n"),
            good.replace("\n1207\n", "\n99999999999999999999\n"),
            good.replace("BQUFBQUF", "BQUF"),
            good.replace('\u{2014}', "-"),
            good.replace("\n\n", "\n"),
            format!("{}{good}", "x".repeat(MAX_LENGTH)),
        ] {
            assert_eq!(parse(&bad), Err(InvalidCheckpoint::Malformed), "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "(?s).{0,200}") {
            prop_assert!(parse(&text).is_err());
        }

        #[test]
        fn a_signed_position_survives_a_round_trip(number in 1i64.., seal in any::<[u8; 32]>()) {
            let end = ChainEnd { number: AuditNumber(number), seal: Seal(seal) };
            let signed = SignedCheckpoint::sign(end, &ToyNotes(1));
            prop_assert_eq!(parse(signed.note()), Ok(end));
        }
    }
}
