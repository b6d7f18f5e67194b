use crate::{SqliteStorage, tables::snapshots};
use async_trait::async_trait;
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
};

#[async_trait]
impl SessionSnapshots for SqliteStorage {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        self.database
            .read(move |conn| snapshots::find(conn, session))
            .await
    }
}
