use crate::{SqliteStorage, tables::replicas};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Replicas},
    replica::{ReplicaSettings, RunningReplica},
};
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl Replicas for SqliteStorage {
    async fn store(&self, replica: &RunningReplica, term: Duration) -> Result<(), PortError> {
        let replica = replica.clone();
        self.database
            .write(move |conn| replicas::store(conn, &replica, term))
            .await
    }

    async fn others(&self, id: Uuid) -> Result<Vec<ReplicaSettings>, PortError> {
        self.database.read(move |conn| replicas::others(conn, id)).await
    }

    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        self.database.write(move |conn| replicas::remove(conn, id)).await
    }
}
