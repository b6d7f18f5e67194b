use crate::token::{SignatureRefused, SignedToken};
use std::sync::Arc;

/// Checks who signed a token, and nothing else: the claims are the core's to judge.
#[cfg_attr(test, mockall::automock)]
pub trait TokenVerifier: Send + Sync {
    /// Takes a compact JWT apart. A token MUST be refused unless `kid` names a known key, `alg` is that key's one
    /// algorithm, the signature is right, and every claim is there once with the right type. A header with `jku`, `jwk`, `x5u`,
    /// `x5c` or `crit` MUST be refused, and nothing it names may be fetched (RFC 8725, sections 3.1 and 3.10). Time MUST
    /// NOT play a part.
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused>;
}
