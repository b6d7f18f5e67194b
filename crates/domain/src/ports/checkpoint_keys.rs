use crate::audit::{Authenticity, NoteSignature};

/// Signs checkpoints of the audit log.
pub trait CheckpointSigner: Send + Sync {
    /// Returns the signature of `text` under the key of the audit log.
    fn sign(&self, text: &[u8]) -> NoteSignature;
}

/// Checks the signatures of checkpoints.
pub trait CheckpointVerifier: Send + Sync {
    /// Checks that `signature` is that of `text` under the public key of the audit log.
    fn check(&self, text: &[u8], signature: &NoteSignature) -> Authenticity;

    /// Returns the public key in the form of a C2SP `signed-note` verifier key.
    fn public_key(&self) -> String;
}
