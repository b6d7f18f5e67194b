//! The ports of the core. Each method is one statement or one transaction.

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

pub use accounts::PostgresAccounts;
pub use audit_events::PostgresAuditEvents;
pub use audit_log::PostgresAuditLog;
pub use health::PostgresHealth;
pub use replica_leases::PostgresReplicaLeases;
pub use roles::PostgresRoles;
pub use session_directory::PostgresSessionDirectory;
pub use session_snapshots::PostgresSessionSnapshots;
pub use sessions::PostgresSessions;
pub use user_directory::PostgresUserDirectory;
