//! Storage in an embedded SQLite file: the default, with nothing to install.
//!
//! One connection writes and a few read ([`SqliteDatabase`]). Each port method reads or is one
//! change, executed on a thread for blocking work or by the thread that writes, so that nothing is
//! left half-done if the caller stops waiting for the answer. Concurrent changes share a commit.
//!
//! Three layers: `ports` implements the traits of the core, `changes` loads what a command reads
//! and applies what it decided, and `tables` holds the rows and the queries.

mod changes;
mod columns;
mod database;
mod error;
mod migrations;
mod ports;
#[cfg(test)]
mod query_plans;
mod schema;
mod tables;

pub use database::{OpenError, ServerLock, SqliteDatabase};
pub use migrations::MigrationStatus;

use domain::ports::AuditSealer;
use std::sync::Arc;

/// Implements every storage port over one database.
#[derive(Clone)]
pub struct SqliteStorage {
    database: SqliteDatabase,
    sealer: Arc<dyn AuditSealer>,
}

impl SqliteStorage {
    /// Creates the storage over `database`, whose schema must be up to date. `sealer` chains the
    /// audit log, and MUST be the one that has sealed it so far.
    #[must_use]
    pub fn new(database: &SqliteDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            database: database.clone(),
            sealer,
        }
    }
}
