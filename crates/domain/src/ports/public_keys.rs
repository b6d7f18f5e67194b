use crate::jwk::JwkSet;

/// The public keys that verify this service's tokens.
pub trait PublicKeys: Send + Sync {
    /// Every key whose tokens may be alive, and no private part of any.
    fn jwk_set(&self) -> JwkSet;
}
