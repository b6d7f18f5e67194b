//! Password hashing with argon2id (RFC 9106), stored as PHC strings. Hashes made by other systems
//! are verified but never created.

mod argon2_hash;
mod cost;
mod not_a_stored_hash;
mod stored;

pub use cost::{Argon2Params, CostRefused};
pub(crate) use not_a_stored_hash::NotAStoredHash;
pub(crate) use stored::StoredHash;

use crate::{
    OsRandomness,
    hash_pool::{Blocks, HashPool, Work},
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use argon2_hash::Argon2Hash;
use async_trait::async_trait;
use aws_lc_rs::constant_time;
use domain::{
    password::{Password, PasswordHash},
    ports::{HashTicket, PasswordHasher, PortError, Randomness, Verification},
};
use std::{error::Error, sync::Arc};

/// The length of a new salt in bytes (RFC 9106, section 3.1).
const SALT_LENGTH: usize = 16;
/// The length of a new hash in bytes.
const HASH_LENGTH: usize = 32;

/// Hashes and verifies passwords on a [pool](HashPool).
pub struct Argon2Hasher {
    params: Argon2Params,
    pool: Arc<HashPool>,
    /// The hash that is compared with if a user has no usable one. Its bytes are random, so a given
    /// password matches with a probability of 2^-256.
    decoy: Argon2Hash,
}

impl Argon2Hasher {
    /// Creates a hasher that computes new hashes with `params`.
    ///
    /// # Errors
    /// Returns [`CostRefused`] if `params` are out of bounds.
    pub fn new(params: Argon2Params, pool: Arc<HashPool>) -> Result<Self, CostRefused> {
        params.check()?;
        let decoy = Argon2Hash::fresh(params, &salt(), &OsRandomness.bytes());
        Ok(Self { params, pool, decoy })
    }

    /// Returns `hash` if it can be used, and the decoy otherwise.
    fn usable(&self, hash: Option<PasswordHash>) -> StoredHash {
        let stored = hash.and_then(|hash| {
            StoredHash::parse(&hash)
                .inspect_err(|error| {
                    let cause = error.source().map(tracing::field::display);
                    tracing::error!(cause, "{error}; its user cannot log in");
                })
                .ok()
        });
        stored.unwrap_or_else(|| StoredHash::Argon2(self.decoy.clone()))
    }
}

#[async_trait]
impl PasswordHasher for Argon2Hasher {
    fn reserve(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        self.pool.reserve(ticket)
    }

    fn settle(&self, ticket: &mut HashTicket) -> Result<(), PortError> {
        self.pool.settle(ticket)
    }

    #[tracing::instrument(skip_all)]
    async fn hash(&self, password: Password, ticket: &mut HashTicket) -> Result<PasswordHash, PortError> {
        let params = self.params;
        let job = move |blocks: &mut Blocks| {
            let salt = salt();
            let mut hash = [0; HASH_LENGTH];
            let inputs = Inputs {
                algorithm: Algorithm::Argon2id,
                version: Version::V0x13,
                params,
                salt: &salt,
            };
            inputs.hash(password.expose(), blocks, params, &mut hash)?;
            Ok(Argon2Hash::fresh(params, &salt, &hash).to_phc())
        };
        self.pool.submit(Work::Hash, ticket, job)?.get().await?
    }

    #[tracing::instrument(skip_all)]
    async fn verify(
        &self,
        password: Password,
        hash: Option<PasswordHash>,
        ticket: &mut HashTicket,
    ) -> Result<Verification, PortError> {
        let stored = self.usable(hash);
        let params = self.params;
        let job = move |blocks: &mut Blocks| compare(&password, &stored, params, blocks);
        self.pool.submit(Work::Hash, ticket, job)?.get().await?
    }
}

fn salt() -> [u8; SALT_LENGTH] {
    let bytes = OsRandomness.bytes();
    *bytes.first_chunk().expect("32 bytes have a prefix of 16")
}

/// Compares `stored` with what another system may have hashed for the password. A hash of this
/// service matches the first of these texts, the normalised one.
fn compare(
    password: &Password,
    stored: &StoredHash,
    in_force: Argon2Params,
    blocks: &mut Blocks,
) -> Result<Verification, PortError> {
    let forms = password.forms();
    let tries = in_force.tries(stored.work_kib(), forms.len());
    let wrong_kib = in_force.work_of_forms_kib(forms.len());
    let (mut is_right, mut done_kib) = (false, 0);
    for input in stored.inputs(forms).iter().take(tries) {
        done_kib += stored.work_kib();
        is_right = match stored {
            StoredHash::Argon2(hash) => is_of(input, hash, in_force, blocks)?,
            StoredHash::Foreign(hash) => hash.is_of(input.as_bytes()),
        };
        if is_right {
            break;
        }
    }
    let total_kib = if is_right { in_force.work_kib() } else { wrong_kib };
    make_up_for(total_kib.saturating_sub(done_kib), in_force, blocks)?;
    Ok(match (is_right, stored.is_as_if_fresh(in_force)) {
        (false, _) => Verification::Wrong,
        (true, true) => Verification::Right,
        (true, false) => Verification::RightButOutdated,
    })
}

fn is_of(
    input: &str,
    stored: &Argon2Hash,
    in_force: Argon2Params,
    blocks: &mut Blocks,
) -> Result<bool, PortError> {
    let mut hash = vec![0; stored.hash().len()];
    let inputs = Inputs {
        algorithm: stored.algorithm,
        version: stored.version,
        params: stored.params,
        salt: stored.salt(),
    };
    inputs.hash(input, blocks, in_force, &mut hash)?;
    Ok(constant_time::verify_slices_are_equal(&hash, stored.hash()).is_ok())
}

/// Does the missing work. A login then takes as long for a user whose hash is cheap (not rehashed
/// since the cost was raised or since the import) as for a user who does not exist.
fn make_up_for(missing_kib: u64, in_force: Argon2Params, blocks: &mut Blocks) -> Result<(), PortError> {
    let Some(params) = in_force.of_work(missing_kib) else {
        return Ok(());
    };
    let inputs = Inputs {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        params,
        salt: &[0; SALT_LENGTH],
    };
    inputs.hash("", blocks, in_force, &mut [0; HASH_LENGTH])
}

/// All inputs of a hash except the password and the length of the hash.
struct Inputs<'a> {
    algorithm: Algorithm,
    version: Version,
    params: Argon2Params,
    salt: &'a [u8],
}

impl Inputs<'_> {
    /// Computes the hash into `hash`, using `blocks` as memory. The blocks grow as needed and then
    /// shrink to the size that the current parameters need, so that one expensive hash does not
    /// keep its memory.
    fn hash(
        &self,
        password: &str,
        blocks: &mut Blocks,
        in_force: Argon2Params,
        hash: &mut [u8],
    ) -> Result<(), PortError> {
        let failed = |error| PortError::Unavailable(Box::<argon2::Error>::new(error));
        let Argon2Params {
            memory_kib,
            iterations,
            parallelism,
        } = self.params;
        let params = Params::new(memory_kib, iterations, parallelism, Some(hash.len())).map_err(failed)?;
        if blocks.len() < params.block_count() {
            blocks.resize(params.block_count(), Block::new());
        }
        let outcome = Argon2::new(self.algorithm, self.version, params).hash_password_into_with_memory(
            password.as_bytes(),
            self.salt,
            hash,
            &mut blocks[..],
        );
        if self.params.memory_kib > in_force.memory_kib {
            blocks.truncate(in_force.memory_kib as usize);
            blocks.shrink_to_fit();
        }
        outcome.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HashPoolSettings;
    use std::num::NonZeroUsize;

    const CHEAP: Argon2Params = Argon2Params {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
    };

    /// A hasher with one thread, so that each job uses the blocks of the previous one.
    fn hasher(params: Argon2Params) -> Argon2Hasher {
        let pool = HashPoolSettings {
            threads: NonZeroUsize::MIN,
            ..HashPoolSettings::default()
        };
        let pool = Arc::new(HashPool::start(pool).expect("the thread can be started"));
        Argon2Hasher::new(params, pool).expect("the parameters are within bounds")
    }

    fn password() -> Password {
        Password::new("correct horse battery staple".to_owned())
    }

    async fn memory_kib(hasher: &Argon2Hasher) -> (usize, usize) {
        let sizes = |blocks: &mut Blocks| (blocks.len(), blocks.capacity());
        let answer = hasher
            .pool
            .submit(Work::Hash, &mut HashTicket::default(), sizes)
            .expect("the queue is empty");
        answer.get().await.expect("the job returns the sizes")
    }

    #[tokio::test]
    async fn verifying_without_a_hash_costs_a_full_hash() {
        let hasher = hasher(CHEAP);
        assert_eq!(memory_kib(&hasher).await.0, 0);
        let verification = hasher
            .verify(password(), None, &mut HashTicket::default())
            .await
            .expect("the hasher returns a result");
        assert_eq!(verification, Verification::Wrong);
        assert_eq!(memory_kib(&hasher).await.0, 64);
        assert_eq!(hasher.decoy.params, CHEAP);
    }

    #[tokio::test]
    async fn verifying_an_unusable_hash_costs_a_full_hash() {
        for phc in [
            "",
            "$2b$12$abcdefghijklmnopqrstuu",
            "$argon2id$v=19$m=4194304,t=9,p=1$c2FsdHNhbHQ$aGFzaA",
        ] {
            let hasher = hasher(CHEAP);
            let unusable = PasswordHash::from_phc(phc.to_owned());
            let verification = hasher
                .verify(password(), Some(unusable), &mut HashTicket::default())
                .await;
            assert_eq!(
                verification.expect("the hasher returns a result"),
                Verification::Wrong,
                "{phc}"
            );
            assert_eq!(memory_kib(&hasher).await.0, 64, "{phc}");
        }
    }

    #[tokio::test]
    async fn verifying_a_cheaper_hash_makes_up_the_difference() {
        let cheaper = Argon2Params {
            memory_kib: 16,
            ..CHEAP
        };
        let stored = hasher(cheaper)
            .hash(password(), &mut HashTicket::default())
            .await
            .expect("the hasher returns a hash");
        for guess in [password(), Password::new("wrong".to_owned())] {
            let hasher = hasher(CHEAP);
            hasher
                .verify(guess, Some(stored.clone()), &mut HashTicket::default())
                .await
                .expect("the hasher returns a result");
            assert_eq!(
                memory_kib(&hasher).await.0,
                48,
                "16 KiB for the hash, and then the rest"
            );
        }
    }

    #[tokio::test]
    async fn verifying_a_cheaper_foreign_hash_makes_up_the_difference() {
        let in_force = Argon2Params {
            memory_kib: 4096,
            ..CHEAP
        };
        let scrypt = "$scrypt$ln=10,r=8,p=1$//79/Pv6+fg$UMXnkwXiajewxcxutUzjCIDrM0ZsjLow0KKju7rKqaA";
        for guess in [password(), Password::new("l\u{e8}tmein".to_owned())] {
            let hasher = hasher(in_force);
            let stored = PasswordHash::from_phc(scrypt.to_owned());
            hasher
                .verify(guess, Some(stored), &mut HashTicket::default())
                .await
                .expect("the hasher returns a result");
            assert_eq!(
                memory_kib(&hasher).await.0,
                2048,
                "scrypt fills 1 MiB and reads it, and then the rest"
            );
        }
    }

    #[tokio::test]
    async fn a_hash_of_this_service_matches_however_the_password_is_typed() {
        let hasher = hasher(CHEAP);
        let of = |text: &str| Password::new(text.to_owned());
        let stored = hasher
            .hash(of("caf\u{e9} noir"), &mut HashTicket::default())
            .await
            .expect("a hash");
        for (typed, expected) in [
            ("caf\u{e9} noir", Verification::Right),
            ("cafe\u{301} noir", Verification::Right),
            ("cafe noir", Verification::Wrong),
        ] {
            let verification = hasher
                .verify(of(typed), Some(stored.clone()), &mut HashTicket::default())
                .await;
            assert_eq!(verification.expect("a result"), expected, "{typed:?}");
        }
    }

    #[tokio::test]
    async fn an_expensive_stored_hash_keeps_its_memory_only_while_it_is_verified() {
        let costly = Argon2Params {
            memory_kib: 4096,
            ..CHEAP
        };
        let stored = hasher(costly)
            .hash(password(), &mut HashTicket::default())
            .await
            .expect("the hasher returns a hash");
        let hasher = hasher(CHEAP);
        let verification = hasher
            .verify(password(), Some(stored), &mut HashTicket::default())
            .await
            .expect("the hasher returns a result");
        assert_eq!(verification, Verification::RightButOutdated);
        assert_eq!(memory_kib(&hasher).await, (64, 64));
    }
}
