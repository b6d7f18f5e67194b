use aws_lc_rs::digest::{Context, SHA256};
use domain::{audit::Seal, ports::AuditSealer};

/// Seals audit events with SHA-256, computed by AWS-LC.
pub struct Sha256Sealer;

impl AuditSealer for Sha256Sealer {
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal {
        let mut context = Context::new(&SHA256);
        context.update(&previous.0);
        context.update(row);
        let digest = context.finish();
        Seal(digest.as_ref().try_into().expect("a SHA-256 digest has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_is_the_digest_of_the_previous_seal_and_the_row() {
        // The digest of 32 zero bytes and "abc", computed by sha256sum.
        let seal = Sha256Sealer.seal(&Seal::NONE, b"abc");
        assert_eq!(
            seal.to_string(),
            "365aa7d8f7f9402c4b9434502b4cc89ddb09fe50d7cd95b493b834c62d5a5370"
        );
        assert_ne!(Sha256Sealer.seal(&seal, b"abc"), seal);
    }
}
