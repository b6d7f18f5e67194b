use crate::{PostgresStorage, tables::replicas};
use async_trait::async_trait;
use domain::{
    ports::{PortError, Replicas},
    replica::{ReplicaSettings, RunningReplica},
};
use std::time::Duration;
use uuid::Uuid;

#[async_trait]
impl Replicas for PostgresStorage {
    async fn store(&self, replica: &RunningReplica, term: Duration) -> Result<(), PortError> {
        self.database
            .write_at_once((replica.clone(), term), |conn, (replica, term)| {
                Box::pin(replicas::store(conn, replica, *term))
            })
            .await
    }

    async fn others(&self, id: Uuid) -> Result<Vec<ReplicaSettings>, PortError> {
        self.database
            .read(id, |conn, id| Box::pin(replicas::others(conn, *id)))
            .await
    }

    async fn remove(&self, id: Uuid) -> Result<(), PortError> {
        self.database
            .write_at_once(id, |conn, id| Box::pin(replicas::remove(conn, *id)))
            .await
    }
}
