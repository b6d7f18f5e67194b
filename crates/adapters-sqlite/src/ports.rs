//! The storage ports of the core, each over one [`SqliteDatabase`](crate::SqliteDatabase).

mod accounts;
mod audit_events;
mod audit_log;
mod health;
mod replica_leases;
mod roles;
mod session_directory;
mod session_snapshots;
mod sessions;
mod user_directory;

pub use accounts::SqliteAccounts;
pub use audit_events::SqliteAuditEvents;
pub use audit_log::SqliteAuditLog;
pub use health::SqliteHealth;
pub use replica_leases::SqliteReplicaLeases;
pub use roles::SqliteRoles;
pub use session_directory::SqliteSessionDirectory;
pub use session_snapshots::SqliteSessionSnapshots;
pub use sessions::SqliteSessions;
pub use user_directory::SqliteUserDirectory;
