//! Cryptography behind the core's ports: argon2id, password hashes of other systems, password
//! strength, breached passwords, JWT, key files, seals and checkpoints of the audit log, the system
//! clock and the operating system's randomness. This crate computes and verifies; the core decides
//! what a token or a password permits.

mod argon2_hasher;
mod audit_sealer;
mod breached_file;
mod cached_token_verifier;
mod checkpoint_file;
mod checkpoint_key;
mod clock;
mod foreign_hash;
mod foreign_hash_forms;
mod hash_pool;
mod jwt;
pub mod keys;
mod randomness;
mod refresh_mac;
mod signing_set;
mod zxcvbn_meter;

pub use argon2_hasher::{Argon2Hasher, Argon2Params, CostRefused};
pub use audit_sealer::HmacSealer;
pub use breached_file::{BreachedFile, BreachedFileError};
pub use cached_token_verifier::CachedTokenVerifier;
pub use checkpoint_file::{CheckpointFile, CheckpointFileError};
pub use checkpoint_key::{CheckpointKey, CheckpointPublicKey, NotAPublicKey};
pub use clock::SystemClock;
pub use foreign_hash_forms::ForeignHashForms;
pub use hash_pool::{HashPool, HashPoolSettings};
pub use jwt::JwtTokens;
pub use randomness::OsRandomness;
pub use refresh_mac::HmacRefreshMac;
pub use zxcvbn_meter::ZxcvbnMeter;
