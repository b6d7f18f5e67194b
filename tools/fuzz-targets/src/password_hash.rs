//! Password hashes: PHC strings and the forms of other systems.

use adapters_crypto::{Argon2Hasher, Argon2Params, ForeignHashForms, HashPool, HashPoolSettings};
use domain::{
    password::{Password, PasswordHash},
    ports::{ForeignHashes, HashTicket, PasswordHasher},
};
use std::{num::NonZeroUsize, sync::Arc, sync::LazyLock, time::Duration};
use tokio::runtime::{Builder, Runtime};

/// The maximum product of the numbers in a hash that is verified: others would take too long.
const CHEAP: u64 = 20_000;
/// The maximum cost of a bcrypt hash that is verified.
const CHEAP_BCRYPT: u64 = 5;

struct Verifier {
    hasher: Argon2Hasher,
    runtime: Runtime,
}

static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
    let settings = HashPoolSettings {
        threads: NonZeroUsize::MIN,
        max_wait: Duration::from_hours(1),
        ..HashPoolSettings::default()
    };
    let least = Argon2Params {
        memory_kib: 8,
        iterations: 1,
        parallelism: 1,
    };
    let pool = Arc::new(HashPool::start(settings).expect("a thread can be started"));
    Verifier {
        hasher: Argon2Hasher::new(least, pool).expect("the cost is within bounds"),
        runtime: Builder::new_current_thread()
            .build()
            .expect("a runtime can be built"),
    }
});

pub fn check(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let Ok(hash) = ForeignHashForms.accept(text) else {
        return;
    };
    let again = ForeignHashForms
        .accept(hash.as_phc())
        .expect("the stored form is accepted");
    assert_eq!(again.as_phc(), hash.as_phc(), "the stored form is not stable");
    assert!(
        !format!("{hash:?}").contains(hash.as_phc()),
        "Debug shows the hash"
    );
    if is_cheap(hash.as_phc()) {
        verify(&hash);
    }
}

/// An accepted hash can be verified: it neither panics nor fails. A guess may be right, because the
/// input may contain the hash of one.
fn verify(hash: &PasswordHash) {
    for password in ["", "guess", "Grüße"] {
        let password = Password::new(password.to_owned());
        let mut ticket = HashTicket::default();
        let verified = VERIFIER.hasher.verify(password, Some(hash.clone()), &mut ticket);
        VERIFIER
            .runtime
            .block_on(verified)
            .expect("an accepted hash can be verified");
    }
}

fn is_cheap(phc: &str) -> bool {
    let parts = || phc.split(['$', ',']);
    let number = |part: &str| -> Option<u64> {
        match part.split_once('=') {
            Some(("ln", exponent)) => 1_u64.checked_shl(exponent.parse().ok()?),
            Some((_, number)) => number.parse().ok(),
            None => part.parse().ok(),
        }
    };
    let product = parts()
        .filter_map(number)
        .fold(1, |product: u64, number| product.saturating_mul(number.max(1)));
    let limit = if phc.contains("bcrypt") || phc.starts_with("$2") || phc.starts_with("$wp") {
        CHEAP_BCRYPT
    } else if phc.contains("firebase") {
        0
    } else {
        CHEAP
    };
    product <= limit
}
