use crate::{SqliteStorage, tables::key_uses};
use async_trait::async_trait;
use domain::{
    key_rotation::KeyUse,
    ports::{KeyUses, PortError},
};
use std::time::Duration;

#[async_trait]
impl KeyUses for SqliteStorage {
    async fn extend(&self, keys: &[String], term: Duration) -> Result<(), PortError> {
        let keys = keys.to_vec();
        self.database
            .write(move |conn| key_uses::extend(conn, &keys, term))
            .await
    }

    async fn list(&self) -> Result<Vec<KeyUse>, PortError> {
        self.database.read(key_uses::list).await
    }

    async fn revoke(&self, key: &str) -> Result<(), PortError> {
        let key = key.to_owned();
        self.database
            .write(move |conn| key_uses::revoke(conn, &key))
            .await
    }
}
