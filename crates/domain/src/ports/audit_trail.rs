use super::PortError;
use crate::{audit::AuditRecord, user::UserId};
use async_trait::async_trait;

/// The trail of security events. It is written by the methods that make the changes it tells of, in their transactions;
/// here it is read.
#[async_trait]
pub trait AuditTrail: Send + Sync {
    /// What was done to `user`, oldest first.
    async fn of_user(&self, user: UserId) -> Result<Vec<AuditRecord>, PortError>;
}
