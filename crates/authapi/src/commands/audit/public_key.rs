use super::super::output;
use crate::{Failure, audit_keys::AuditKeys, settings::KeysSettings};

/// Prints the public key of checkpoints.
pub fn run(settings: &KeysSettings) -> Result<(), Failure> {
    output::line(AuditKeys::load(settings)?.public_key())
}
