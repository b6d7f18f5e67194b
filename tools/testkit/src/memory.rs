//! Storage in memory: a fake that keeps the whole contract, and the shortest answer to "what must an adapter do?".

mod audit_log;
mod roles;
mod session_snapshots;
mod sessions;
mod state;
mod storage_health;
mod trail;
mod users;

use crate::Storage;
use domain::{
    ports::{AuditSealer, PortError},
    role::Role,
};
use state::State;
use std::sync::{Arc, Mutex, MutexGuard};
use thiserror::Error;

/// Every storage port over one shared state; clones are handles on the same one. A port's call holds the one lock from
/// beginning to end, which makes it a transaction.
#[derive(Clone, Default)]
pub struct MemoryStorage(Arc<Mutex<State>>);

/// Why a [`MemoryStorage`] that went away does not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the storage was told to go away")]
struct ToldToGoAway;

impl MemoryStorage {
    /// Storage whose audit trail is sealed by `sealer` and not by a [`ToySealer`](crate::ToySealer).
    #[must_use]
    pub fn sealed_by(sealer: Arc<dyn AuditSealer>) -> Self {
        Self(Arc::new(Mutex::new(State::sealed_by(sealer))))
    }

    /// Every port over this storage.
    #[must_use]
    pub fn storage(&self) -> Storage {
        Storage {
            users: Arc::new(self.clone()),
            sessions: Arc::new(self.clone()),
            snapshots: Arc::new(self.clone()),
            roles: Arc::new(self.clone()),
            audit: Arc::new(self.clone()),
            health: Arc::new(self.clone()),
        }
    }

    /// From now on every port answers [`PortError::Unavailable`] and changes nothing.
    pub fn go_away(&self) {
        self.locked().away = true;
    }

    /// Undoes [`Self::go_away`]; everything is still there.
    pub fn come_back(&self) {
        self.locked().away = false;
    }

    /// Adds a role to the catalogue, in place of one of the same name.
    pub fn add_role(&self, role: Role) {
        self.locked().put_role(role);
    }

    /// The state, for one transaction.
    fn transaction(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let state = self.locked();
        if state.away {
            return Err(PortError::Unavailable(Box::new(ToldToGoAway)));
        }
        Ok(state)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no transaction panics")
    }
}
