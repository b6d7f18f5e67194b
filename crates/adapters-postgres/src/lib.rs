//! Storage in Postgres: for several replicas over one database.
//!
//! A pool of connections ([`PostgresDatabase`]); each port method is one statement or one transaction, done in a task of its
//! own that ends within a second, so that nothing is left half-done when nobody waits for the answer. Views of sessions, which
//! every request asks for first, are read for several callers at once.
//!
//! Transactions are READ COMMITTED: each *statement* sees what was committed before it began. So whoever looks first and
//! writes then locks first, by a statement of its own, and always in the order that `authority.rs` tells.

mod audit;
mod authority;
mod database;
mod error;
mod health;
mod migrations;
mod prepared;
#[cfg(test)]
mod query_plans;
mod replica_leases;
mod roles;
mod schema;
mod session_snapshots;
mod sessions;
mod users;

pub use audit::PostgresAuditLog;
pub use database::{ConnectError, PoolSettings, PostgresDatabase};
pub use health::PostgresHealth;
pub use migrations::MigrationStatus;
pub use replica_leases::PostgresReplicaLeases;
pub use roles::PostgresRoles;
pub use session_snapshots::PostgresSessionSnapshots;
pub use sessions::PostgresSessions;
pub use users::PostgresUsers;

use domain::ports::{AuditLog, AuditSealer, Roles, SessionSnapshots, Sessions, StorageHealth, Users};
use session_cache::ports::ReplicaLeases;
use std::sync::Arc;

/// Every storage port over one database.
#[derive(Clone)]
pub struct PostgresStorage {
    pub users: Arc<dyn Users>,
    pub sessions: Arc<dyn Sessions>,
    pub snapshots: Arc<dyn SessionSnapshots>,
    pub roles: Arc<dyn Roles>,
    pub audit: Arc<dyn AuditLog>,
    pub health: Arc<dyn StorageHealth>,
    pub leases: Arc<dyn ReplicaLeases>,
}

impl PostgresStorage {
    /// The ports over `database`, whose schema must be up to date; `sealer` chains the audit trail.
    #[must_use]
    pub fn new(database: &PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            users: Arc::new(PostgresUsers::new(database.clone(), Arc::clone(&sealer))),
            sessions: Arc::new(PostgresSessions::new(database.clone(), Arc::clone(&sealer))),
            snapshots: Arc::new(PostgresSessionSnapshots::new(database.clone())),
            roles: Arc::new(PostgresRoles::new(database.clone(), Arc::clone(&sealer))),
            audit: Arc::new(PostgresAuditLog::new(database.clone(), sealer)),
            health: Arc::new(PostgresHealth::new(database.clone())),
            leases: Arc::new(PostgresReplicaLeases::new(database.clone())),
        }
    }
}
