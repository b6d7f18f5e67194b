//! Storage in Postgres: for several replicas over one database.
//!
//! | module | contains | uses |
//! |---|---|---|
//! | `bus` | the invalidation bus over LISTEN and NOTIFY | `tables`, `database` |
//! | `ports` | implementations of ports | `changes`, the batches, `tables`, `database` |
//! | `changes` | loads facts, applies changes, writes and seals events | `tables`, `written` |
//! | `sealing` | sealing of pending events | `changes`, `tables`, `written`, `database` |
//! | `missing` | search for events that disappeared | `tables`, `written`, `database` |
//! | `snapshot_batches` | reading snapshots for several callers | `batches`, `tables`, `database` |
//! | `rotation_batches` | rotating sessions for several callers | `batches`, `tables`, `database` |
//! | `batches` | combining requests that arrive at the same time | `database` |
//! | `written` | the events that this process has written | |
//! | `tables` | rows, queries and conversions | `prepared`, `schema` |
//! | `database` | the pool of connections, transactions, retries, deadlines | |
//!
//! Each operation runs in its own task and ends within a second, so that no operation is left
//! half-done when its caller gives up. Transactions are READ COMMITTED: each *statement* sees what
//! was committed before it began. So a transaction locks before it reads, by separate statements,
//! in the order that `changes/load.rs` states.

mod batches;
mod bus;
mod changes;
mod database;
mod error;
mod migration_lock;
mod migrations;
mod missing;
mod ports;
mod prepared;
#[cfg(test)]
mod query_plans;
mod rotation_batches;
mod schema;
mod sealing;
mod snapshot_batches;
mod tables;
mod written;

pub use bus::PostgresBus;
pub use changes::SealedEvents;
pub use database::{ConnectError, PoolSettings, PostgresDatabase};
pub use migrations::MigrationStatus;
pub use tables::audit_pending::{Look, OldestPending};
pub use written::WrittenEvent;

use changes::EventWriter;
use domain::{audit::AuditContext, ports::AuditSealer};
use rotation_batches::RotationBatches;
use sealing::BatchSize;
use snapshot_batches::SnapshotBatches;
use std::sync::Arc;
use written::WrittenEvents;

/// Implements every storage port over one database.
///
/// Session snapshots are read, and sessions rotated, for several callers at once. These wait on a
/// tokio runtime whose timers MUST be enabled.
pub struct PostgresStorage {
    database: PostgresDatabase,
    sealer: Arc<dyn AuditSealer>,
    written: Arc<WrittenEvents>,
    seals: bool,
    batch_size: BatchSize,
    snapshot_batches: SnapshotBatches,
    rotation_batches: RotationBatches,
}

impl PostgresStorage {
    /// Creates the storage over `database`, whose schema must be up to date. `sealer` chains the
    /// audit log, and MUST be the one that has sealed it so far.
    #[must_use]
    pub fn new(database: &PostgresDatabase, sealer: Arc<dyn AuditSealer>) -> Self {
        Self {
            database: database.clone(),
            sealer,
            written: Arc::default(),
            seals: true,
            batch_size: BatchSize::default(),
            snapshot_batches: SnapshotBatches::start(database),
            rotation_batches: RotationBatches::start(database),
        }
    }

    /// Returns the storage for a process that does not have the audit key: it leaves pending events
    /// to others, so its audit log ends before them. The process MUST NOT make changes.
    #[must_use]
    pub fn without_sealing(self) -> Self {
        Self { seals: false, ..self }
    }

    /// Creates the writer of a transaction's events, which are recorded with `context`.
    fn events(&self, context: AuditContext) -> EventWriter {
        EventWriter::new(context, &self.sealer, &self.written)
    }
}
