use super::MemoryStorage;
use crate::fixtures::at;
use async_trait::async_trait;
use chrono::TimeDelta;
use domain::{
    key_rotation::KeyUse,
    ports::{KeyUses, PortError},
};
use std::time::Duration;

/// The clock of this storage stands still.
#[async_trait]
impl KeyUses for MemoryStorage {
    async fn extend(&self, keys: &[String], term: Duration) -> Result<(), PortError> {
        let term = TimeDelta::from_std(term).map_err(|error| PortError::Corrupt(error.to_string().into()))?;
        let mut tables = self.transaction()?;
        for key in keys {
            let (used_until, _) = tables.key_uses.entry(key.clone()).or_insert((at(0), false));
            *used_until = (*used_until).max(at(0) + term);
        }
        Ok(())
    }

    async fn list(&self) -> Result<Vec<KeyUse>, PortError> {
        let tables = self.transaction()?;
        let uses = tables.key_uses.iter().map(|(key, (used_until, revoked))| KeyUse {
            key: key.clone(),
            used_until: *used_until,
            revoked: *revoked,
        });
        Ok(uses.collect())
    }

    async fn revoke(&self, key: &str) -> Result<(), PortError> {
        let mut tables = self.transaction()?;
        let (_, revoked) = tables.key_uses.entry(key.to_owned()).or_insert((at(0), false));
        *revoked = true;
        Ok(())
    }
}
