//! Checkpoints of the audit log: the input as a note, and as a text that the key of the log signed.

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    audit::{CHECKPOINT_ORIGIN, InvalidCheckpoint, SignedCheckpoint},
    ports::CheckpointSigner,
};
use testkit::ToySealer;

pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    if let Ok(checkpoint) = SignedCheckpoint::parse(text, &ToySealer) {
        check_accepted(text, &checkpoint);
    }
    let note = signed(text);
    match SignedCheckpoint::parse(&note, &ToySealer) {
        Ok(checkpoint) => check_accepted(&note, &checkpoint),
        Err(refused) => assert_eq!(
            refused,
            InvalidCheckpoint::Malformed,
            "the signature is valid: {note:?}"
        ),
    }
}

/// Returns a note of `text` with a valid signature.
fn signed(text: &str) -> String {
    let text = format!("{text}\n");
    let signature = ToySealer.sign(text.as_bytes());
    let line = STANDARD.encode([&signature.key_hash[..], &signature.signature].concat());
    format!("{text}\n\u{2014} {CHECKPOINT_ORIGIN} {line}\n")
}

/// An accepted note states exactly what the service would write for its position.
fn check_accepted(note: &str, checkpoint: &SignedCheckpoint) {
    assert_eq!(checkpoint.note(), note);
    assert!(checkpoint.end().number.0 > 0);
    let written = SignedCheckpoint::sign(checkpoint.end(), &ToySealer);
    let stated = |note: &str| -> Vec<String> { note.split('\n').take(3).map(str::to_owned).collect() };
    assert_eq!(stated(written.note()), stated(note));
}
