use super::PortError;
use crate::token::{AccessClaims, AccessToken};

/// Signs access tokens with the current signing key.
#[cfg_attr(test, mockall::automock)]
pub trait TokenSigner: Send + Sync {
    /// Returns `claims` as a JWT in compact form (RFC 7515, section 3.1). Its header MUST be
    /// exactly `alg`, `kid` and `typ: at+jwt`.
    fn sign(&self, claims: &AccessClaims) -> Result<AccessToken, PortError>;
}
