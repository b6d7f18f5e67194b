use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    audit::AuditRecord,
    ports::{AuditTrail, PortError},
    user::UserId,
};

#[async_trait]
impl AuditTrail for MemoryStorage {
    async fn of_user(&self, user: UserId) -> Result<Vec<AuditRecord>, PortError> {
        let state = self.transaction()?;
        let mut rows: Vec<_> = state
            .trail
            .iter()
            .filter(|row| row.user == user)
            .cloned()
            .collect();
        rows.sort_by_key(|row| row.at);
        Ok(rows)
    }
}
