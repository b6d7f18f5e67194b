use crate::{SqliteStorage, tables::replica_leases};
use async_trait::async_trait;
use domain::ports::PortError;
use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::LeaseId,
};

#[async_trait]
impl ReplicaLeases for SqliteStorage {
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError> {
        self.database
            .write(move |conn| replica_leases::acquire(conn, lease))
            .await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError> {
        self.database
            .write(move |conn| replica_leases::renew(conn, lease))
            .await
    }

    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError> {
        let leases = leases.to_vec();
        self.database
            .write(move |conn| replica_leases::evict(conn, &leases))
            .await
    }

    async fn release(&self, lease: LeaseId) -> Result<(), PortError> {
        self.database
            .write(move |conn| replica_leases::release(conn, lease))
            .await
    }

    async fn holders(&self) -> Result<Vec<LeaseId>, PortError> {
        self.database.read(replica_leases::holders).await
    }
}
