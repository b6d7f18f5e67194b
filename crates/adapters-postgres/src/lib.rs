//! Storage in Postgres: for several replicas over one database.
//!
//! | module | contains | uses |
//! |---|---|---|
//! | `ports` | the implementations of the core's ports | `changes`, `snapshot_batches`, `tables`, `database` |
//! | `changes` | loading what a command reads, applying what it decided, writing audit events | `tables` |
//! | `snapshot_batches` | reading session snapshots for several callers at once | `tables`, `database` |
//! | `tables` | rows, queries and conversions | `prepared`, `schema` |
//! | `database` | the pool of connections, transactions, retries, deadlines | |
//!
//! Each operation runs in a task of its own that ends within a second, so that none is left half-done when its caller gives
//! up. Transactions are READ COMMITTED: each *statement* sees what was committed before it began. So a transaction locks
//! before it reads, by separate statements, in the order that `changes/load.rs` states.

mod changes;
mod database;
mod error;
mod migrations;
mod ports;
mod prepared;
#[cfg(test)]
mod query_plans;
mod schema;
mod snapshot_batches;
mod tables;

pub use database::{ConnectError, PoolSettings, PostgresDatabase};
pub use migrations::MigrationStatus;
pub use ports::{
    PostgresAccounts, PostgresAuditEvents, PostgresAuditLog, PostgresHealth, PostgresReplicaLeases,
    PostgresRoles, PostgresSessionDirectory, PostgresSessionSnapshots, PostgresSessions,
    PostgresUserDirectory,
};

use domain::ports::{
    Accounts, AuditEvents, AuditLog, AuditSealer, Roles, SessionDirectory, SessionSnapshots, Sessions,
    StorageHealth, UserDirectory,
};
use session_cache::ports::ReplicaLeases;
use std::sync::Arc;

/// Every storage port over one database.
#[derive(Clone)]
pub struct PostgresStorage {
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

impl PostgresStorage {
    /// Returns the ports over `database`, whose schema must be up to date; `sealer` chains the audit log.
    #[must_use]
    pub fn new(database: &PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        let database = || database.clone();
        Self {
            accounts: Arc::new(PostgresAccounts::new(database(), sealer.clone())),
            sessions: Arc::new(PostgresSessions::new(database())),
            session_directory: Arc::new(PostgresSessionDirectory::new(database())),
            users: Arc::new(PostgresUserDirectory::new(database(), sealer.clone())),
            snapshots: Arc::new(PostgresSessionSnapshots::new(database())),
            roles: Arc::new(PostgresRoles::new(database(), sealer.clone())),
            audit_events: Arc::new(PostgresAuditEvents::new(database(), sealer.clone())),
            audit_log: Arc::new(PostgresAuditLog::new(database(), sealer)),
            health: Arc::new(PostgresHealth::new(database())),
            leases: Arc::new(PostgresReplicaLeases::new(database())),
        }
    }
}
