use super::PortError;
use crate::key_rotation::KeyUse;
use async_trait::async_trait;
use std::time::Duration;

/// Until when the replicas of one database may make tokens with each key, and which keys are
/// revoked. Signing keys have their ids, and refresh keys their fingerprints.
#[async_trait]
pub trait KeyUses: Send + Sync {
    /// Stores that a replica may make tokens with `keys` for `term` from now, by the database's
    /// clock. MUST NOT shorten what is stored, and MUST leave a revoked key revoked.
    async fn extend(&self, keys: &[String], term: Duration) -> Result<(), PortError>;

    /// Returns what is stored for every key, in the order of the keys.
    async fn list(&self) -> Result<Vec<KeyUse>, PortError>;

    /// Revokes the key, whether or not it is stored.
    async fn revoke(&self, key: &str) -> Result<(), PortError>;
}
