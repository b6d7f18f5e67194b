use crate::{PostgresStorage, tables::replica_leases};
use async_trait::async_trait;
use domain::ports::PortError;
use session_cache::{
    ports::{Renewal, ReplicaLeases},
    protocol::LeaseId,
};

#[async_trait]
impl ReplicaLeases for PostgresStorage {
    async fn acquire(&self, lease: LeaseId) -> Result<(), PortError> {
        self.database
            .write(lease, |conn, lease| {
                Box::pin(replica_leases::acquire(conn, *lease))
            })
            .await
    }

    async fn renew(&self, lease: LeaseId) -> Result<Renewal, PortError> {
        self.database
            .write_at_once(lease, |conn, lease| Box::pin(replica_leases::renew(conn, *lease)))
            .await
    }

    async fn evict(&self, leases: &[LeaseId]) -> Result<(), PortError> {
        self.database
            .write_at_once(leases.to_vec(), |conn, leases| {
                Box::pin(replica_leases::evict(conn, leases))
            })
            .await
    }

    async fn release(&self, lease: LeaseId) -> Result<(), PortError> {
        self.database
            .write_at_once(lease, |conn, lease| {
                Box::pin(replica_leases::release(conn, *lease))
            })
            .await
    }

    async fn holders(&self) -> Result<Vec<LeaseId>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(replica_leases::holders(conn)))
            .await
    }
}
