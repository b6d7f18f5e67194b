use crate::audit::{AuditMac, Authenticity, Seal};

/// Computes the seals of the audit log, and the MACs that prove which program wrote an event.
pub trait AuditSealer: Send + Sync {
    /// Returns the SHA-256 (FIPS 180-4) of `previous` followed by `row`. The result MUST depend on
    /// these two alone, in every version of the service.
    fn seal(&self, previous: &Seal, row: &[u8]) -> Seal;

    /// Returns the HMAC-SHA256 (RFC 2104) of `message` under the audit key.
    fn mac(&self, message: &[u8]) -> AuditMac;

    /// Checks that `mac` is that of `message`, in constant time.
    fn check(&self, message: &[u8], mac: &AuditMac) -> Authenticity;
}
