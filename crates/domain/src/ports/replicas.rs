use super::PortError;
use crate::replica::{ReplicaSettings, RunningReplica};
use async_trait::async_trait;
use std::time::Duration;
use uuid::Uuid;

/// The running replicas of one database.
#[async_trait]
pub trait Replicas: Send + Sync {
    /// Stores that `replica` runs for `term` from now, by the database's clock. MUST replace what
    /// was stored for its id, and MUST be visible to calls that begin after this one returned.
    async fn store(&self, replica: &RunningReplica, term: Duration) -> Result<(), PortError>;

    /// Returns the settings of the replicas other than `id` whose terms have not run out.
    async fn others(&self, id: Uuid) -> Result<Vec<ReplicaSettings>, PortError>;

    /// Removes the replica `id`, if it is stored.
    async fn remove(&self, id: Uuid) -> Result<(), PortError>;
}
