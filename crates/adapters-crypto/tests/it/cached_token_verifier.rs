//! The signature cache returns the results of the verifier that it wraps, and calls it once for
//! each token.

use crate::forgery::{Workshop, claims, claims_json, encode};
use adapters_crypto::{CachedTokenVerifier, keys::Algorithm};
use chrono::{DateTime, Duration};
use domain::{
    ports::TokenVerifier,
    token::{AccessClaims, SignatureRefused, SignedToken},
};
use std::{
    num::NonZeroUsize,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
};
use testkit::FixedClock;
use uuid::Uuid;

static ES256: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(Algorithm::Es256));
static ANOTHER: LazyLock<Workshop> = LazyLock::new(|| Workshop::new(Algorithm::Es256));

/// Counts its calls.
#[derive(Default)]
struct Counting(AtomicUsize);

impl TokenVerifier for Counting {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ES256.verify(token)
    }

    fn has_key(&self, kid: &str) -> bool {
        ES256.tokens.has_key(kid)
    }
}

struct Caching {
    cache: CachedTokenVerifier,
    inner: Arc<Counting>,
    clock: Arc<FixedClock>,
}

impl Caching {
    /// Creates a cache at the time when the tokens are issued.
    fn of(capacity: usize) -> Self {
        let inner = Arc::new(Counting::default());
        let issued = DateTime::from_timestamp(claims().iat, 0).expect("chrono represents the time");
        let clock = Arc::new(FixedClock::new(issued));
        let capacity = NonZeroUsize::new(capacity).expect("the capacity is not 0");
        Self {
            cache: CachedTokenVerifier::new(inner.clone(), clock.clone(), capacity),
            inner,
            clock,
        }
    }

    fn calls(&self) -> usize {
        self.inner.0.load(Ordering::Relaxed)
    }

    /// Returns the result of the cache and asserts that it equals the result without a cache.
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let answer = self.cache.verify(token);
        assert_eq!(answer, ES256.verify(token), "{token}");
        answer
    }
}

fn numbered(number: usize) -> AccessClaims {
    AccessClaims {
        jti: Uuid::from_u128(number as u128),
        ..claims()
    }
}

#[test]
fn a_token_is_verified_once_however_often_it_is_presented() {
    let verifier = Caching::of(10);
    let token = ES256.sign(&claims());
    for _ in 0..100 {
        assert_eq!(
            verifier.verify(&token).expect("the token is valid").claims,
            claims()
        );
    }
    assert_eq!(verifier.calls(), 1);
}

#[test]
fn a_token_that_differs_from_a_cached_one_in_one_bit_is_rejected() {
    let verifier = Caching::of(10);
    let good = ES256.sign(&claims());
    verifier.verify(&good).expect("the token is valid");
    let [header, body, signature]: [&str; 3] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("the token has three parts");
    let admin = encode(&claims_json().to_string().replace("\"epoch\":4", "\"epoch\":5"));
    let mut bad = vec![
        String::new(),
        format!("{header}.{admin}.{signature}"),
        format!("{header}.{body}."),
        format!("{header}.{body}"),
        format!("{good}="),
        format!(" {good}"),
        format!("{good}.{signature}"),
        ANOTHER.sign(&claims()),
        ANOTHER.forge(&ES256.header().to_string(), &claims_json().to_string()),
    ];
    bad.extend((0..good.len()).map(|end| good[..end].to_owned()));
    for position in 0..good.len() {
        let mut bytes = good.clone().into_bytes();
        bytes[position] ^= 1;
        bad.push(String::from_utf8(bytes).expect("the changed token is ASCII"));
    }
    for (number, token) in bad.iter().enumerate() {
        assert!(verifier.verify(token).is_err(), "{token}");
        assert_eq!(verifier.calls(), 2 + number);
    }
    assert_eq!(verifier.cache.count(), 1);
    verifier.verify(&good).expect("the token is valid");
    assert_eq!(verifier.calls(), 1 + bad.len());
}

#[test]
fn rejections_are_not_cached_and_evict_nothing() {
    let verifier = Caching::of(1);
    let good = ES256.sign(&claims());
    verifier.verify(&good).expect("the token is valid");
    let forged = ANOTHER.sign(&claims());
    for number in 0..1_000 {
        assert!(verifier.cache.verify(&format!("{forged}{number}")).is_err());
    }
    assert_eq!(verifier.calls(), 1_001);
    verifier.verify(&good).expect("the token is valid");
    assert_eq!(verifier.calls(), 1_001);
}

#[test]
fn an_expired_token_leaves_the_cache() {
    let verifier = Caching::of(10);
    let token = ES256.sign(&claims());
    let life = Duration::seconds(claims().exp - claims().iat);
    verifier.verify(&token).expect("the token is valid");
    verifier.clock.advance(life - Duration::seconds(1));
    verifier.verify(&token).expect("the token is valid");
    assert_eq!((verifier.calls(), verifier.cache.count()), (1, 1));
    verifier.clock.advance(Duration::seconds(1));
    for times in 1..=3 {
        verifier
            .verify(&token)
            .expect("the verifier does not check the expiry");
        assert_eq!((verifier.calls(), verifier.cache.count()), (1 + times, 0));
    }
}

#[test]
fn the_cache_holds_no_more_than_its_capacity() {
    let verifier = Caching::of(100);
    for number in 0..2_000 {
        let token = ES256.sign(&numbered(number));
        verifier.cache.verify(&token).expect("the token is valid");
        assert!(verifier.cache.count() <= 100);
    }
    assert!(verifier.cache.count() >= 90, "{}", verifier.cache.count());
}

#[test]
fn long_tokens_count_as_several() {
    let verifier = Caching::of(100);
    for number in 0..300 {
        let long = AccessClaims {
            iss: "i".repeat(3_000),
            ..numbered(number)
        };
        verifier
            .cache
            .verify(&ES256.sign(&long))
            .expect("the token is valid");
    }
    let count = verifier.cache.count();
    assert!((1..=20).contains(&count), "{count}");
}
