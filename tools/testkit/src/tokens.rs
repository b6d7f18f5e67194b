//! The ports that an adapter for access tokens implements.

use domain::ports::{PublicKeys, TokenSigner, TokenVerifier};
use std::sync::Arc;

/// Every port for access tokens, over one set of keys.
#[derive(Clone)]
pub struct Tokens {
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub keys: Arc<dyn PublicKeys>,
}
