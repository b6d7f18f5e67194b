use aws_lc_rs::digest::{SHA256, digest};
use domain::{
    ports::{Clock, TokenVerifier},
    token::{SignatureRefused, SignedToken},
};
use quick_cache::{Weighter, sync::Cache};
use std::{num::NonZeroUsize, sync::Arc};

/// The token length that one cache entry accounts for. A longer token, such as one with many
/// permissions, counts as several entries.
const TOKEN_BYTES: usize = 1024;

/// The signature cache: verifies the signature of each token once instead of at each request.
///
/// Only the results of the inner verifier are cached: at each request, the core still checks
/// whether the token has expired and whether its session is live. Rejections are not cached, since
/// an attacker could evict valid tokens by sending invalid ones.
///
/// The keys of the inner verifier may be replaced: a cached token is accepted only while the inner
/// verifier has its key.
pub struct CachedTokenVerifier {
    inner: Arc<dyn TokenVerifier>,
    clock: Arc<dyn Clock>,
    cache: Cache<Digest, CachedToken, EntryWeight>,
}

/// SHA-256 of the whole token including its signature, so that tokens that differ in one bit have
/// different digests.
type Digest = [u8; 32];

#[derive(Clone)]
struct CachedToken {
    token: Arc<SignedToken>,
    /// The length of the token's text in bytes.
    length: usize,
}

#[derive(Clone)]
struct EntryWeight;

impl Weighter<Digest, CachedToken> for EntryWeight {
    fn weight(&self, _: &Digest, cached: &CachedToken) -> u64 {
        cached.length.div_ceil(TOKEN_BYTES).max(1) as u64
    }
}

impl CachedTokenVerifier {
    /// Creates a cache of at most `capacity` tokens that evicts the least used ones.
    #[must_use]
    pub fn new(inner: Arc<dyn TokenVerifier>, clock: Arc<dyn Clock>, capacity: NonZeroUsize) -> Self {
        Self {
            inner,
            clock,
            cache: Cache::with_weighter(capacity.get(), capacity.get() as u64, EntryWeight),
        }
    }

    /// Returns the number of cached tokens.
    #[must_use]
    pub fn count(&self) -> usize {
        self.cache.len()
    }

    fn has_expired(&self, token: &SignedToken) -> bool {
        token.claims.exp <= self.clock.now().timestamp()
    }
}

impl TokenVerifier for CachedTokenVerifier {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let digest = digest_of(token);
        if let Some(cached) = self.cache.get(&digest) {
            if !self.has_expired(&cached.token) && self.inner.has_key(&cached.token.kid) {
                return Ok(cached.token);
            }
            self.cache.remove(&digest);
        }
        let signed = self.inner.verify(token)?;
        if !self.has_expired(&signed) {
            let cached = CachedToken {
                token: Arc::clone(&signed),
                length: token.len(),
            };
            self.cache.insert(digest, cached);
        }
        Ok(signed)
    }

    fn has_key(&self, kid: &str) -> bool {
        self.inner.has_key(kid)
    }
}

fn digest_of(token: &str) -> Digest {
    let digest = digest(&SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("a SHA-256 digest has 32 bytes")
}
