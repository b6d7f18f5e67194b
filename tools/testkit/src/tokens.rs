//! What an adapter for access tokens must offer.

use domain::ports::{PublicKeys, TokenSigner, TokenVerifier};
use std::sync::Arc;

/// Every port about access tokens, over one and the same keys.
#[derive(Clone)]
pub struct Tokens {
    pub signer: Arc<dyn TokenSigner>,
    pub verifier: Arc<dyn TokenVerifier>,
    pub keys: Arc<dyn PublicKeys>,
}
