use crate::token::{SignatureRefused, SignedToken};
use std::sync::Arc;

/// Verifies the signature of a token. The core checks the claims.
#[cfg_attr(test, mockall::automock)]
pub trait TokenVerifier: Send + Sync {
    /// Parses and verifies a compact JWT. It MUST reject the token unless `kid` names a known key,
    /// `alg` is that key's only algorithm, the signature is valid, and every claim is present once
    /// with the right type. It MUST reject a header with `jku`, `jwk`, `x5u`, `x5c` or `crit`, and
    /// MUST NOT fetch anything named in it (RFC 8725, sections 3.1 and 3.10). The result MUST NOT
    /// depend on the time.
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused>;

    /// Returns whether [`verify`](Self::verify) may accept tokens of the key `kid` now.
    fn has_key(&self, kid: &str) -> bool;
}
