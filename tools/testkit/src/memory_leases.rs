use async_trait::async_trait;
use domain::ports::PortError;
use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::{LeaseId, Terms},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::time::Instant;

/// Leases in memory, measured by tokio's clock. Clones share the leases.
#[derive(Clone, Default)]
pub struct MemoryLeases(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    leases: BTreeMap<LeaseId, Row>,
    is_unavailable: bool,
}

struct Row {
    expires_at: Instant,
    evicted: bool,
}

impl Row {
    fn new() -> Self {
        Self {
            expires_at: Instant::now() + Terms::STANDARD.lease.waited(),
            evicted: false,
        }
    }
}

impl MemoryLeases {
    /// Makes every method fail with [`PortError::Unavailable`] and change nothing.
    pub fn disconnect(&self) {
        self.locked().is_unavailable = true;
    }

    /// Makes the methods available again.
    pub fn reconnect(&self) {
        self.locked().is_unavailable = false;
    }

    fn transaction(&self) -> Result<MutexGuard<'_, State>, PortError> {
        let mut state = self.locked();
        if state.is_unavailable {
            return Err(PortError::Unavailable("the leases are unavailable".into()));
        }
        let now = Instant::now();
        state.leases.retain(|_, row| now < row.expires_at);
        Ok(state)
    }

    fn locked(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("no transaction panics")
    }
}

#[async_trait]
impl ReplicaLeases for MemoryLeases {
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError> {
        let mut state = self.transaction()?;
        if state.leases.contains_key(&lease) {
            return Err(PortError::Corrupt("a lease was acquired twice".into()));
        }
        state.leases.insert(lease, Row::new());
        Ok(())
    }

    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError> {
        match self.transaction()?.leases.get_mut(&lease) {
            Some(row) if !row.evicted => {
                *row = Row::new();
                Ok(Renewal::Granted)
            }
            _ => Ok(Renewal::Refused),
        }
    }

    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError> {
        let mut state = self.transaction()?;
        for lease in leases {
            if let Some(row) = state.leases.get_mut(lease) {
                row.evicted = true;
            }
        }
        Ok(())
    }

    async fn release(&self, lease: LeaseId) -> Result<(), PortError> {
        self.transaction()?.leases.remove(&lease);
        Ok(())
    }

    async fn holders(&self) -> Result<Vec<LeaseId>, PortError> {
        Ok(self.transaction()?.leases.keys().copied().collect())
    }
}
