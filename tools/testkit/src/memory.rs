//! Storage in memory: a fake that keeps the whole contract, and the shortest answer to "what must
//! an adapter do?".
//!
//! `memory/changes.rs` has the two functions that every storage implements: it loads what a command
//! reads, and applies what the command decided. The ports only open a transaction around them.

mod accounts;
mod audit_log;
mod changes;
mod import;
mod log;
mod roles;
mod sessions;
mod tables;
mod users;

use crate::Storage;
use async_trait::async_trait;
use domain::{
    ports::{AuditSealer, PortError, StorageHealth},
    role::Role,
};
use std::sync::{Arc, Mutex, MutexGuard};
use tables::Tables;
use thiserror::Error;

/// Every storage port over the same tables; clones are handles on the same ones. A port's call
/// holds the one lock from beginning to end, which makes it a transaction.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<Tables>>);

/// Why a [`MemoryStorage`] that was switched off does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the storage was told to go away")]
struct ToldToGoAway;

impl MemoryStorage {
    /// Storage whose audit log is sealed by `sealer` and not by a [`ToySealer`](crate::ToySealer).
    #[must_use]
    pub fn sealed_by(sealer: Arc<dyn AuditSealer>) -> Self {
        Self(Arc::new(Mutex::new(Tables::sealed_by(sealer))))
    }

    /// Every port over this storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage::over(&Arc::new(self.clone()))
    }

    /// From now on every port returns [`PortError::Unavailable`] and changes nothing.
    pub fn go_away(&self) {
        self.locked().away = true;
    }

    /// Undoes [`Self::go_away`]; everything is still there.
    pub fn come_back(&self) {
        self.locked().away = false;
    }

    /// Adds a role to the catalogue, in place of one of the same name. `admin` stays as it is.
    pub fn add_role(&self, role: Role) {
        self.locked().roles.insert(role.name.clone(), role);
    }

    /// The tables, for one transaction.
    fn transaction(&self) -> Result<MutexGuard<'_, Tables>, PortError> {
        let tables = self.locked();
        if tables.away {
            return Err(PortError::Unavailable(Box::new(ToldToGoAway)));
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
