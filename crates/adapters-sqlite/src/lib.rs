//! Storage in an embedded SQLite file: the default, with nothing to install.
//!
//! One connection writes and a few read ([`SqliteDatabase`]). Each port method is one statement or
//! one transaction, executed on a thread for blocking work, so that nothing is left half-done if
//! the caller stops waiting for the answer.
//!
//! Three layers: `ports` implements the traits of the core, `changes` loads what a command reads
//! and applies what it decided, and `tables` holds the rows and the queries.

mod changes;
mod columns;
mod database;
mod error;
mod lock;
mod migrations;
mod ports;
#[cfg(test)]
mod query_plans;
mod schema;
mod tables;

pub use database::{OpenError, SqliteDatabase};
pub use lock::ServerLock;
pub use migrations::MigrationStatus;
pub use ports::{
    SqliteAccounts, SqliteAuditEvents, SqliteAuditLog, SqliteHealth, SqliteReplicaLeases, SqliteRoles,
    SqliteSessionDirectory, SqliteSessionSnapshots, SqliteSessions, SqliteUserDirectory,
};

use domain::ports::{
    Accounts, AuditEvents, AuditLog, AuditSealer, Roles, SessionDirectory, SessionSnapshots,
    Sessions, StorageHealth, UserDirectory,
};
use session_cache::ports::ReplicaLeases;
use std::sync::Arc;

/// Every storage port over one database.
#[derive(Clone)]
pub struct SqliteStorage {
    pub accounts: Arc<dyn Accounts>,
    pub sessions: Arc<dyn Sessions>,
    pub session_directory: Arc<dyn SessionDirectory>,
    pub users: Arc<dyn UserDirectory>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub roles: Arc<dyn Roles>,
    pub audit_events: Arc<dyn AuditEvents>,
    pub audit_log: Arc<dyn AuditLog>,
    pub health: Arc<dyn StorageHealth>,
    pub leases: Arc<dyn ReplicaLeases>,
}

impl SqliteStorage {
    /// Returns the ports over `database`, whose schema must be up to date. `sealer` chains the
    /// audit log, and MUST be the one that has sealed it so far.
    #[must_use]
    pub fn new(database: &SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            accounts: Arc::new(SqliteAccounts::new(database.clone(), Arc::clone(&sealer))),
            sessions: Arc::new(SqliteSessions::new(database.clone())),
            session_directory: Arc::new(SqliteSessionDirectory::new(database.clone())),
            users: Arc::new(SqliteUserDirectory::new(database.clone(), Arc::clone(&sealer))),
            snapshots: Arc::new(SqliteSessionSnapshots::new(database.clone())),
            roles: Arc::new(SqliteRoles::new(database.clone(), Arc::clone(&sealer))),
            audit_events: Arc::new(SqliteAuditEvents::new(database.clone(), Arc::clone(&sealer))),
            audit_log: Arc::new(SqliteAuditLog::new(database.clone(), sealer)),
            health: Arc::new(SqliteHealth::new(database.clone())),
            leases: Arc::new(SqliteReplicaLeases::new(database.clone())),
        }
    }
}
