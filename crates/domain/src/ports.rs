//! Ports: the traits through which the core reaches the outside, one per file. Each MUST has a case
//! in the contract suite of `testkit`.
//!
//! An embedder that offers registration, login, refresh, `/me`, role changes and logout implements
//! [`Accounts`], [`Sessions`], [`SessionSnapshots`] and [`AuditEvents`] for its storage.
//! Administration and reporting also need [`UserDirectory`], [`SessionDirectory`], [`Roles`],
//! [`AuditLog`] and [`AuditCheckpoints`].

mod accounts;
mod audit_checkpoints;
mod audit_events;
mod audit_log;
mod audit_sealer;
mod breached_passwords;
mod checkpoint_keys;
mod clock;
mod clock_comparison;
mod database_clock;
mod error;
mod foreign_hashes;
mod hash_ticket;
mod kept_checkpoint;
mod key_uses;
mod machines;
mod password_hasher;
mod password_meter;
mod public_keys;
mod randomness;
mod refresh_token_mac;
mod replicas;
mod revocations;
mod roles;
mod session_directory;
mod session_memory;
mod session_snapshots;
mod sessions;
mod storage;
mod storage_health;
mod throttle;
mod token_signer;
mod token_verifier;
mod user_directory;

pub use accounts::{Accounts, LoginFacts, PlaceQuery};
pub use audit_checkpoints::AuditCheckpoints;
pub use audit_events::AuditEvents;
pub use audit_log::AuditLog;
pub use audit_sealer::AuditSealer;
pub use breached_passwords::{BreachedPasswords, NoBreachedPasswords};
pub use checkpoint_keys::{CheckpointSigner, CheckpointVerifier};
pub use clock::Clock;
pub use clock_comparison::ClockComparison;
pub use database_clock::DatabaseClock;
pub use error::PortError;
pub use foreign_hashes::{ForeignHashRefused, ForeignHashes};
pub use hash_ticket::{HashClient, HashTicket};
pub use kept_checkpoint::{KeptCheckpoint, NothingKept};
pub use key_uses::KeyUses;
pub use machines::Machines;
pub use password_hasher::{PasswordHasher, Verification};
pub use password_meter::{PasswordMeter, Strength};
pub use public_keys::PublicKeys;
pub use randomness::Randomness;
pub use refresh_token_mac::RefreshTokenMac;
pub use replicas::Replicas;
pub use revocations::{NothingCached, Revocations};
pub use roles::Roles;
pub use session_directory::SessionDirectory;
pub use session_memory::SessionMemory;
pub use session_snapshots::SessionSnapshots;
pub use sessions::{Rotated, Sessions};
pub use storage::Storage;
pub use storage_health::StorageHealth;
pub use throttle::Throttle;
pub use token_signer::TokenSigner;
pub use token_verifier::TokenVerifier;
pub use user_directory::UserDirectory;

#[cfg(test)]
pub use {
    accounts::MockAccounts, audit_checkpoints::MockAuditCheckpoints, audit_events::MockAuditEvents,
    audit_log::MockAuditLog, breached_passwords::MockBreachedPasswords, clock::MockClock,
    foreign_hashes::MockForeignHashes, kept_checkpoint::MockKeptCheckpoint, machines::MockMachines,
    password_hasher::MockPasswordHasher, password_meter::MockPasswordMeter, randomness::MockRandomness,
    refresh_token_mac::MockRefreshTokenMac, revocations::MockRevocations, roles::MockRoles,
    session_directory::MockSessionDirectory, session_snapshots::MockSessionSnapshots, sessions::MockSessions,
    throttle::MockThrottle, token_signer::MockTokenSigner, token_verifier::MockTokenVerifier,
    user_directory::MockUserDirectory,
};
