//! Storage in an embedded SQLite file: the default, with nothing to install.
//!
//! One connection writes and a few read ([`SqliteDatabase`]); each port method is one statement or one transaction, done
//! in one go on a thread for blocking work, so that nothing is left half-done when nobody waits for the answer.

mod audit;
mod authority;
mod columns;
mod database;
mod error;
mod health;
mod lock;
mod migrations;
#[cfg(test)]
mod query_plans;
mod replica_leases;
mod roles;
mod schema;
mod session_snapshots;
mod sessions;
mod users;

pub use audit::SqliteAuditLog;
pub use database::{OpenError, SqliteDatabase};
pub use health::SqliteHealth;
pub use lock::ServerLock;
pub use migrations::MigrationStatus;
pub use replica_leases::SqliteReplicaLeases;
pub use roles::SqliteRoles;
pub use session_snapshots::SqliteSessionSnapshots;
pub use sessions::SqliteSessions;
pub use users::SqliteUsers;

use domain::ports::{AuditLog, AuditSealer, Roles, SessionSnapshots, Sessions, StorageHealth, Users};
use session_cache::ports::ReplicaLeases;
use std::sync::Arc;

/// Every storage port over one database.
#[derive(Clone)]
pub struct SqliteStorage {
    pub users: Arc<dyn Users>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub roles: Arc<dyn Roles>,
    pub audit: Arc<dyn AuditLog>,
    pub health: Arc<dyn StorageHealth>,
    pub leases: Arc<dyn ReplicaLeases>,
}

impl SqliteStorage {
    /// The ports over `database`, whose schema must be up to date. `sealer` chains the audit trail, and MUST be the one
    /// that has sealed it so far.
    #[must_use]
    pub fn new(database: &SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            users: Arc::new(SqliteUsers::new(database.clone(), Arc::clone(&sealer))),
            sessions: Arc::new(SqliteSessions::new(database.clone(), Arc::clone(&sealer))),
            snapshots: Arc::new(SqliteSessionSnapshots::new(database.clone())),
            roles: Arc::new(SqliteRoles::new(database.clone(), Arc::clone(&sealer))),
            audit: Arc::new(SqliteAuditLog::new(database.clone(), sealer)),
            health: Arc::new(SqliteHealth::new(database.clone())),
            leases: Arc::new(SqliteReplicaLeases::new(database.clone())),
        }
    }
}
