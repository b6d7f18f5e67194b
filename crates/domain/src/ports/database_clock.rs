use super::PortError;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

/// The clock of the database server, with which all replicas compare theirs.
#[async_trait]
pub trait DatabaseClock: Send + Sync {
    /// Returns the time by the database's clock. MUST read that clock between the call and its
    /// return.
    async fn now(&self) -> Result<DateTime<Utc>, PortError>;
}
