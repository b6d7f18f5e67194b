use crate::audit::Seal;

/// Computes the seals of the audit log.
#[cfg_attr(test, mockall::automock)]
pub trait AuditSealer: Send + Sync {
    /// Returns the SHA-256 (FIPS 180-4) of `previous` followed by `row`. The result MUST depend on
    /// these two alone, in every version of the service.
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal;
}
