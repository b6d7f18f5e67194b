//! What the core needs from the world. One file a port; every MUST has a case in testkit's contract suite.

mod audit_log;
mod audit_sealer;
mod clock;
mod error;
mod foreign_hashes;
mod password_hasher;
mod password_meter;
mod public_keys;
mod randomness;
mod refresh_token_mac;
mod revocations;
mod roles;
mod session_memory;
mod session_snapshots;
mod sessions;
mod storage_health;
mod throttle;
mod token_signer;
mod token_verifier;
mod users;

pub use audit_log::AuditLog;
pub use audit_sealer::AuditSealer;
pub use clock::Clock;
pub use error::PortError;
pub use foreign_hashes::{ForeignHashRefused, ForeignHashes};
pub use password_hasher::{PasswordHasher, Verification};
pub use password_meter::{PasswordMeter, Strength};
pub use public_keys::PublicKeys;
pub use randomness::Randomness;
pub use refresh_token_mac::RefreshTokenMac;
pub use revocations::Revocations;
pub use roles::{MAX_ROLES, PutRole, RemoveRole, RolePut, RoleRemoved, Roles};
pub use session_memory::SessionMemory;
pub use session_snapshots::SessionSnapshots;
pub use sessions::{Ended, Opened, RevokeSessions, Rotated, Sessions, SessionsRevoked};
pub use storage_health::StorageHealth;
pub use throttle::Throttle;
pub use token_signer::TokenSigner;
pub use token_verifier::TokenVerifier;
pub use users::{
    Administer, Administered, ChangePassword, ChangeRoles, Inserted, PasswordChanged, RolesChanged, Users,
};

#[cfg(test)]
pub use {
    audit_log::MockAuditLog, audit_sealer::MockAuditSealer, clock::MockClock,
    foreign_hashes::MockForeignHashes, password_hasher::MockPasswordHasher,
    password_meter::MockPasswordMeter, randomness::MockRandomness, refresh_token_mac::MockRefreshTokenMac,
    revocations::MockRevocations, roles::MockRoles, session_snapshots::MockSessionSnapshots,
    sessions::MockSessions, throttle::MockThrottle, token_signer::MockTokenSigner,
    token_verifier::MockTokenVerifier, users::MockUsers,
};
