//! What is remembered answers as the verifier beneath does, and is asked for it once.

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

/// Counts how often it is asked.
#[derive(Default)]
struct Counting(AtomicUsize);

impl TokenVerifier for Counting {
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        self.0.fetch_add(1, Ordering::Relaxed);
        ES256.verify(token)
    }
}

struct Memory {
    verdicts: CachedTokenVerifier,
    beneath: Arc<Counting>,
    clock: Arc<FixedClock>,
}

impl Memory {
    /// At the moment when tokens are issued.
    fn of(most: usize) -> Self {
        let beneath = Arc::new(Counting::default());
        let issued = DateTime::from_timestamp(claims().iat, 0).expect("a time");
        let clock = Arc::new(FixedClock::new(issued));
        let most = NonZeroUsize::new(most).expect("it is not 0");
        Self {
            verdicts: CachedTokenVerifier::new(beneath.clone(), clock.clone(), most),
            beneath,
            clock,
        }
    }

    fn asked(&self) -> usize {
        self.beneath.0.load(Ordering::Relaxed)
    }

    /// The answer, after it was found to be the same as without a memory.
    fn verify(&self, token: &str) -> Result<Arc<SignedToken>, SignatureRefused> {
        let answer = self.verdicts.verify(token);
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
fn a_token_is_verified_once_however_often_it_comes() {
    let memory = Memory::of(10);
    let token = ES256.sign(&claims());
    for _ in 0..100 {
        assert_eq!(memory.verify(&token).expect("ours").claims, claims());
    }
    assert_eq!(memory.asked(), 1);
}

#[test]
fn whatever_is_not_the_remembered_token_to_the_bit_is_verified_and_refused() {
    let memory = Memory::of(10);
    let good = ES256.sign(&claims());
    memory.verify(&good).expect("ours");
    let [header, body, signature]: [&str; 3] = good
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("three parts");
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
        bad.push(String::from_utf8(bytes).expect("ASCII"));
    }
    for (number, token) in bad.iter().enumerate() {
        assert!(memory.verify(token).is_err(), "{token}");
        assert_eq!(memory.asked(), 2 + number);
    }
    assert_eq!(memory.verdicts.count(), 1);
    memory.verify(&good).expect("ours");
    assert_eq!(memory.asked(), 1 + bad.len());
}

#[test]
fn refusals_are_not_remembered_and_push_nothing_out() {
    let memory = Memory::of(1);
    let good = ES256.sign(&claims());
    memory.verify(&good).expect("ours");
    let forged = ANOTHER.sign(&claims());
    for number in 0..1_000 {
        assert!(memory.verdicts.verify(&format!("{forged}{number}")).is_err());
    }
    assert_eq!(memory.asked(), 1_001);
    memory.verify(&good).expect("ours");
    assert_eq!(memory.asked(), 1_001);
}

#[test]
fn a_token_that_has_expired_is_not_remembered_any_more() {
    let memory = Memory::of(10);
    let token = ES256.sign(&claims());
    let life = Duration::seconds(claims().exp - claims().iat);
    memory.verify(&token).expect("ours");
    memory.clock.advance(life - Duration::seconds(1));
    memory.verify(&token).expect("ours");
    assert_eq!((memory.asked(), memory.verdicts.count()), (1, 1));
    memory.clock.advance(Duration::seconds(1));
    for times in 1..=3 {
        memory.verify(&token).expect("its time is the core's to judge");
        assert_eq!((memory.asked(), memory.verdicts.count()), (1 + times, 0));
    }
}

#[test]
fn no_more_are_remembered_than_are_allowed() {
    let memory = Memory::of(100);
    for number in 0..2_000 {
        let token = ES256.sign(&numbered(number));
        memory.verdicts.verify(&token).expect("ours");
        assert!(memory.verdicts.count() <= 100);
    }
    assert!(memory.verdicts.count() >= 90, "{}", memory.verdicts.count());
}

#[test]
fn long_tokens_take_the_room_of_several() {
    let memory = Memory::of(100);
    for number in 0..300 {
        let long = AccessClaims {
            iss: "i".repeat(3_000),
            ..numbered(number)
        };
        memory.verdicts.verify(&ES256.sign(&long)).expect("ours");
    }
    let count = memory.verdicts.count();
    assert!((1..=20).contains(&count), "{count}");
}
