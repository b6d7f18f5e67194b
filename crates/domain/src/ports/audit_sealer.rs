use crate::audit::Seal;

/// Computes the seals of the audit log.
#[cfg_attr(test, mockall::automock)]
pub trait AuditSealer: Send + Sync {
    /// Returns SHA-256 (FIPS 180-4) of `previous` followed by `row`. MUST depend on these two
    /// alone, in every version.
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal;
}
