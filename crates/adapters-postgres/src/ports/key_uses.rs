use crate::{PostgresStorage, tables::key_uses};
use async_trait::async_trait;
use domain::{
    key_rotation::KeyUse,
    ports::{KeyUses, PortError},
};
use std::time::Duration;

#[async_trait]
impl KeyUses for PostgresStorage {
    async fn extend(&self, keys: &[String], term: Duration) -> Result<(), PortError> {
        self.database
            .write_at_once((keys.to_vec(), term), |conn, (keys, term)| {
                Box::pin(key_uses::extend(conn, keys, *term))
            })
            .await
    }

    async fn list(&self) -> Result<Vec<KeyUse>, PortError> {
        self.database
            .read((), |conn, ()| Box::pin(key_uses::list(conn)))
            .await
    }

    async fn revoke(&self, key: &str) -> Result<(), PortError> {
        self.database
            .write_at_once(key.to_owned(), |conn, key| Box::pin(key_uses::revoke(conn, key)))
            .await
    }
}
