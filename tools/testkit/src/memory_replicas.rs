use async_trait::async_trait;
use domain::{
    ports::{PortError, Replicas},
    replica::{ReplicaSettings, RunningReplica},
};
use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard},
    time::Duration,
};
use tokio::time::Instant;
use uuid::Uuid;

/// Running replicas in memory, measured by tokio's clock.
#[derive(Default)]
pub struct MemoryReplicas(Mutex<BTreeMap<Uuid, (ReplicaSettings, Instant)>>);

impl MemoryReplicas {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<Uuid, (ReplicaSettings, Instant)>> {
        self.0.lock().expect("no method panics")
    }
}

#[async_trait]
impl Replicas for MemoryReplicas {
    async fn store(&self, replica: &RunningReplica, term: Duration) -> Result<(), PortError> {
        let row = (replica.settings.clone(), Instant::now() + term);
        self.locked().insert(replica.id, row);
        Ok(())
    }

    async fn others(&self, id: Uuid) -> Result<Vec<ReplicaSettings>, PortError> {
        let now = Instant::now();
        let rows = self.locked();
        let others = rows
            .iter()
            .filter(|(other, (_, end))| **other != id && now < *end);
        Ok(others.map(|(_, (settings, _))| settings.clone()).collect())
    }

    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        self.locked().remove(&id);
        Ok(())
    }
}
