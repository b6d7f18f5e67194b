use super::MemoryStorage;
use async_trait::async_trait;
use domain::{
    caller::SessionSnapshot,
    ports::{PortError, SessionSnapshots},
    session::SessionId,
};

#[async_trait]
impl SessionSnapshots for MemoryStorage {
    async fn snapshot(&self, session: SessionId) -> Result<Option<SessionSnapshot>, PortError> {
        Ok(self.transaction()?.snapshot(session))
    }
}
