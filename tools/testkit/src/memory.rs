//! Storage in memory: a fake that fulfils the whole contract, and the shortest example of a storage
//! adapter.
//!
//! `memory/changes.rs` contains the two functions that every storage implements: one loads what a
//! command reads, the other applies what the command decided. The ports open a transaction around
//! them.

mod accounts;
mod audit_checkpoints;
mod audit_log;
mod changes;
mod import;
mod key_uses;
mod log;
mod machines;
mod roles;
mod sessions;
mod tables;
mod users;

use crate::Storage;
use async_trait::async_trait;
use domain::{
    audit::AuditContext,
    ports::{AuditSealer, PortError, StorageHealth},
    role::Role,
};
use std::sync::{Arc, Mutex, MutexGuard};
use tables::Tables;
use thiserror::Error;

/// Every storage port over one set of tables, which clones share. A call of a port holds the only
/// lock from beginning to end, which makes it a transaction.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<Tables>>);

/// The cause of the errors of a [`MemoryStorage`] after [`MemoryStorage::disconnect`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("a test made the storage unavailable")]
struct MadeUnavailable;

impl MemoryStorage {
    /// Creates storage whose audit log is sealed by `sealer` instead of a
    /// [`ToySealer`](crate::ToySealer).
    #[must_use]
    pub fn sealed_by(sealer: Arc<dyn AuditSealer>) -> Self {
        Self(Arc::new(Mutex::new(Tables::sealed_by(sealer))))
    }

    /// Returns every port over this storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage::over(&Arc::new(self.clone()))
    }

    /// Makes every port return [`PortError::Unavailable`] and change nothing.
    pub fn disconnect(&self) {
        self.locked().is_unavailable = true;
    }

    /// Makes the ports available again, with the tables unchanged.
    pub fn reconnect(&self) {
        self.locked().is_unavailable = false;
    }

    /// Adds a role to the catalogue, or replaces the role with this name. The permissions of
    /// `admin` do not change.
    pub fn add_role(&self, role: Role) {
        self.locked().roles.insert(role.name.clone(), role);
    }

    /// Appends an event to the audit log that no service can read, as another program with access
    /// to the database can.
    pub fn add_unreadable_event(&self, context: &AuditContext) {
        self.locked().log.append_unreadable(context);
    }

    /// Locks the tables for one transaction.
    fn transaction(&self) -> Result<MutexGuard<'_, Tables>, PortError> {
        let tables = self.locked();
        if tables.is_unavailable {
            return Err(PortError::Unavailable(Box::new(MadeUnavailable)));
        }
        Ok(tables)
    }

    fn locked(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().expect("no transaction panics")
    }
}

#[async_trait]
impl StorageHealth for MemoryStorage {
    async fn check(&self) -> Result<(), PortError> {
        self.transaction().map(drop)
    }
}
