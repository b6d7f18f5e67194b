//! Runs the contract of each port on the adapters of this crate.

use crate::forgery::Workshop;
use adapters_crypto::{
    Argon2Hasher, Argon2Params, BreachedFile, CachedTokenVerifier, HashPool, HashPoolSettings,
    HmacRefreshMac, OsRandomness, SystemClock, ZxcvbnMeter, keys::Algorithm,
};
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::HEXUPPER;
use std::{
    fs,
    num::NonZeroUsize,
    sync::{Arc, LazyLock},
};
use testkit::{FixedClock, Tokens, contract::breached_passwords::BREACHED, fixtures::at};

fn pool() -> Arc<HashPool> {
    Arc::new(HashPool::start(HashPoolSettings::default()).expect("the threads can be started"))
}

fn meter() -> ZxcvbnMeter {
    ZxcvbnMeter::new(pool())
}

/// A file of the hashes of [`BREACHED`], which stays open after its folder is removed.
fn breached_passwords() -> BreachedFile {
    let mut lines = BREACHED.map(|text| {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        HEXUPPER.encode(hash.as_ref()) + ":7\r\n"
    });
    lines.sort();
    let folder = tempfile::tempdir().expect("the folder can be created");
    let path = folder.path().join("breached.txt");
    fs::write(&path, lines.concat()).expect("the file can be written");
    BreachedFile::open(path, pool()).expect("the file can be used")
}

fn hasher() -> Argon2Hasher {
    let cheap = Argon2Params {
        memory_kib: 1024,
        iterations: 2,
        parallelism: 1,
    };
    Argon2Hasher::new(cheap, pool()).expect("the parameters are within bounds")
}

fn refresh_token_mac() -> HmacRefreshMac {
    HmacRefreshMac::new(&[7; 32])
}

fn randomness() -> OsRandomness {
    OsRandomness
}

fn clock() -> SystemClock {
    SystemClock
}

fn tokens(algorithm: Algorithm) -> Tokens {
    let tokens = Arc::new(Workshop::new(algorithm).tokens);
    Tokens {
        signer: tokens.clone(),
        verifier: tokens.clone(),
        keys: tokens,
    }
}

mod es256 {
    use super::*;

    fn fresh() -> Tokens {
        tokens(Algorithm::Es256)
    }

    testkit::token_contract!(fresh);
}

mod eddsa {
    use super::*;

    fn fresh() -> Tokens {
        tokens(Algorithm::EdDsa)
    }

    testkit::token_contract!(fresh);
}

/// Runs the contract on the signature cache, with a clock at which the tokens are valid: only valid
/// tokens are cached.
mod cached {
    use super::*;

    fn fresh() -> Tokens {
        let tokens = tokens(Algorithm::Es256);
        let clock = Arc::new(FixedClock::new(at(0)));
        let cache = CachedTokenVerifier::new(
            tokens.verifier,
            clock,
            NonZeroUsize::new(1000).expect("the number is not 0"),
        );
        Tokens {
            verifier: Arc::new(cache),
            ..tokens
        }
    }

    testkit::token_contract!(fresh);
}

mod rs256 {
    use super::*;

    /// Shared by all cases, because generating an RSA key takes about a second.
    static TOKENS: LazyLock<Tokens> = LazyLock::new(|| tokens(Algorithm::Rs256));

    fn fresh() -> &'static Tokens {
        &TOKENS
    }

    testkit::token_contract!(fresh);
}

testkit::password_hasher_contract!(hasher);
testkit::password_meter_contract!(meter);
testkit::breached_passwords_contract!(breached_passwords);
testkit::refresh_token_mac_contract!(refresh_token_mac);
testkit::randomness_contract!(randomness);
testkit::clock_contract!(clock);
