use super::fields::{WRONG_PARTS, base64, long_enough_salt, number, parameters, whole_hash};
use ::scrypt::{Params, scrypt};
use aws_lc_rs::constant_time;
use domain::ports::ForeignHashRefused;
use zeroize::Zeroizing;

/// The number of scrypt's memory blocks, of 128 bytes, in a KiB.
const BLOCKS_OF_ONE_KIB: u64 = 8;
/// The minimum memory of a hash: 1 MiB. Hashes with less are too easy to guess.
const MIN_MEMORY: u64 = 1024 * BLOCKS_OF_ONE_KIB;
/// The maximum memory that a hash fills, over all lanes: 256 MiB, about a second on one core.
const MAX_WORK: u64 = 256 * 1024 * BLOCKS_OF_ONE_KIB;
/// The passes over the memory, which is filled and then read; see [`super::ForeignHash::work_kib`].
const PASSES: u64 = 2;
/// A bound on log N far above the maximum, to keep the computation of the cost from overflowing.
const MAX_LOG_N: u32 = 31;

/// An scrypt hash (RFC 7914).
pub struct Scrypt {
    cost: ScryptCost,
    salt: Vec<u8>,
    hash: Vec<u8>,
}

impl Scrypt {
    /// Parses `ln=17,r=8,p=1$<salt>$<hash>`, the text after `$scrypt$`.
    pub fn parse(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[costs, salt, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        let [log_n, r, p] = parameters(costs, ["ln", "r", "p"])?;
        Self::new(
            ScryptCost::new(number(log_n)?, number(r)?, number(p)?)?,
            base64(salt)?,
            base64(hash)?,
        )
    }

    /// Parses `16384$<salt>$8$5$<hash>`, the text after `scrypt$`. The salt is used as text,
    /// without decoding.
    pub fn parse_django(parts: &[&str]) -> Result<Self, ForeignHashRefused> {
        let &[n, salt, r, p, hash] = parts else {
            return Err(WRONG_PARTS);
        };
        let log_n = number(n)?
            .checked_ilog2()
            .filter(|log_n| number(n) == Ok(1 << log_n))
            .ok_or(ForeignHashRefused::Damaged(
                "the scrypt parameter N is not a power of two",
            ))?;
        Self::new(
            ScryptCost::new(log_n, number(r)?, number(p)?)?,
            salt.into(),
            base64(hash)?,
        )
    }

    fn new(cost: ScryptCost, salt: Vec<u8>, hash: Vec<u8>) -> Result<Self, ForeignHashRefused> {
        Ok(Self {
            cost,
            salt: long_enough_salt(salt)?,
            hash: whole_hash(hash)?,
        })
    }

    pub fn is_of(&self, password: &[u8]) -> bool {
        let mut hash = Zeroizing::new(vec![0; self.hash.len()]);
        self.cost.derive(password, &self.salt, &mut hash);
        constant_time::verify_slices_are_equal(&hash, &self.hash).is_ok()
    }

    pub fn work_kib(&self) -> u64 {
        self.cost.work_kib()
    }
}

/// The cost of an scrypt hash, within bounds.
#[derive(Clone, Copy)]
pub struct ScryptCost(Params);

impl ScryptCost {
    /// Creates a cost of 2^`log_n` blocks of `r` times 128 bytes, in `p` lanes. Rejects a cost that
    /// is out of bounds.
    pub fn new(log_n: u32, r: u32, p: u32) -> Result<Self, ForeignHashRefused> {
        if log_n == 0 || r == 0 || p == 0 {
            return Err(ForeignHashRefused::Damaged("a cost parameter of scrypt is zero"));
        }
        let memory = memory(log_n.min(MAX_LOG_N), r);
        if memory.saturating_mul(p.into()) > MAX_WORK {
            return Err(ForeignHashRefused::TooCostly(
                "scrypt with more than 256 MiB of memory",
            ));
        }
        if memory < MIN_MEMORY {
            return Err(ForeignHashRefused::TooWeak(
                "scrypt with less than 1 MiB of memory",
            ));
        }
        let log_n = u8::try_from(log_n).expect("the bounds limit log N to 21");
        let params = Params::new(log_n, r, p).expect("the bounds are within those of scrypt");
        Ok(Self(params))
    }

    /// Computes the hash into `hash`, which must not be empty.
    pub fn derive(self, password: &[u8], salt: &[u8], hash: &mut [u8]) {
        scrypt(password, salt, &self.0, hash).expect("scrypt supports hashes of this length");
    }

    pub fn work_kib(self) -> u64 {
        let filled = memory(self.0.log_n().into(), self.0.r()) * u64::from(self.0.p());
        filled / BLOCKS_OF_ONE_KIB * PASSES
    }
}

fn memory(log_n: u32, r: u32) -> u64 {
    u64::from(r) << log_n
}
