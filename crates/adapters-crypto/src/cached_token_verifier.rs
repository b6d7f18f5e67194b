use aws_lc_rs::digest::{SHA256, digest};
use domain::{
    ports::{Clock, TokenVerifier},
    token::{SignatureRefused, SignedToken},
};
use quick_cache::{Weighter, sync::Cache};
use std::{num::NonZeroUsize, sync::Arc};

/// The token that a verdict is planned for. One of permissions without end takes as much room as several.
const TOKEN_BYTES: usize = 1024;

/// Remembers which tokens were signed rightly, so that a token costs one check of its signature and not one at each
/// request.
///
/// What is remembered is the answer of the verifier beneath and nothing else: whether a token has expired and whether its
/// session lives is judged at each request as before. Refusals are not remembered, or whoever invents tokens could fill the
/// memory and push the good ones out.
///
/// The verdicts belong to the keys of the verifier beneath. Other keys are another verifier, which MUST get a memory of its
/// own: else the tokens of a removed key would be good until they expire.
pub struct CachedTokenVerifier {
    beneath: Arc<dyn TokenVerifier>,
    clock: Arc<dyn Clock>,
    good: Cache<Digest, Verdict, Size>,
}

/// SHA-256 of a whole token, its signature included: each bit that differs makes it another.
type Digest = [u8; 32];

#[derive(Clone)]
struct Verdict {
    token: Arc<SignedToken>,
    /// The length of its text, in bytes.
    length: usize,
}

#[derive(Clone)]
struct Size;

impl Weighter<Digest, Verdict> for Size {
    fn weight(&self, _: &Digest, verdict: &Verdict) -> u64 {
        verdict.length.div_ceil(TOKEN_BYTES).max(1) as u64
    }
}

impl CachedTokenVerifier {
    /// Remembers at most so many. Those that were asked for least make room.
    #[must_use]
    pub fn new(beneath: Arc<dyn TokenVerifier>, clock: Arc<dyn Clock>, most: NonZeroUsize) -> Self {
        Self {
            beneath,
            clock,
            good: Cache::with_weighter(most.get(), most.get() as u64, Size),
        }
    }

    /// How many are remembered.
    #[must_use]
    pub fn count(&self) -> usize {
        self.good.len()
    }

    fn has_expired(&self, token: &SignedToken) -> bool {
        token.claims.exp <= self.clock.now().timestamp()
    }
}

impl TokenVerifier for CachedTokenVerifier {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let digest = digest_of(token);
        if let Some(verdict) = self.good.get(&digest) {
            if !self.has_expired(&verdict.token) {
                return Ok(verdict.token);
            }
            self.good.remove(&digest);
        }
        let signed = self.beneath.verify(token)?;
        if !self.has_expired(&signed) {
            let verdict = Verdict {
                token: Arc::clone(&signed),
                length: token.len(),
            };
            self.good.insert(digest, verdict);
        }
        Ok(signed)
    }
}

fn digest_of(token: &str) -> Digest {
    let digest = digest(&SHA256, token.as_bytes());
    digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
}
