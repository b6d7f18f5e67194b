use crate::jwk::JwkSet;

/// Publishes the keys that verify this service's tokens.
pub trait PublicKeys: Send + Sync {
    /// Returns every key whose tokens may still be valid, without private parts.
    fn jwk_set(&self) -> JwkSet;
}
