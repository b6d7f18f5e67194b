use crate::audit::Seal;

/// The digest that chains the audit trail.
#[cfg_attr(test, mockall::automock)]
pub trait AuditSealer: Send + Sync {
    /// SHA-256 (FIPS 180-4) of `previous` and then `row`. MUST be the same for the same two, today and in ten years.
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal;
}
